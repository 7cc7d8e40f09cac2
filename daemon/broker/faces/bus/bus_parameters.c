#include "bus_parameters.h"

#include "../../../../policy/util/text.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

/* As documented in org.ioasid1.xml: a day. */
enum { GRACE_MSEC_MAX = 24 * 3600 * 1000 };

/* -EINVAL, with a sentence. */
static int refuse(sd_bus_error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));
static int refuse(sd_bus_error *error, const char *format, ...)
{
	char sentence[TEXT_MAX];
	va_list arguments;

	va_start(arguments, format);
	text_format_list(sentence, sizeof(sentence), format, arguments);
	va_end(arguments);
	sd_bus_error_set(error, SD_BUS_ERROR_INVALID_ARGS, sentence);
	return -EINVAL;
}

/* What a client wrote, as it can be shown to him. */
static const char *shown(const char *text, char out[static 128])
{
	return text_escape(out, 128, text, strlen(text));
}

static int read_devices(sd_bus_message *message, struct bus_parameters *out, sd_bus_error *error)
{
	char again[128];
	const char *text;
	size_t count = 0;
	int result = sd_bus_message_enter_container(message, 'a', "s");

	while (result >= 0 && (result = sd_bus_message_read(message, "s", &text)) > 0) {
		if (count == CLAIM_DEVICES_MAX)
			return refuse(error, "devices: a claim can have at most 64");
		if (!question_take_device(text, out->taken[count]))
			return refuse(error,
				      "devices: '%s' is neither a device address (0000:01:00.0) nor a pool (pool:NAME)",
				      shown(text, again));
		out->question.device[count] = out->taken[count];
		count++;
	}
	if (result < 0)
		return result;
	if (count == 0)
		return refuse(error, "devices: name at least one");
	out->question.count = count;
	return sd_bus_message_exit_container(message);
}

/* A number of any integer type that is not negative and at most most. */
static int read_number(sd_bus_message *message, uint64_t most, uint64_t *out)
{
	const char *type;
	union {
		uint8_t y;
		int16_t n;
		uint16_t q;
		int32_t i;
		uint32_t u;
		int64_t x;
		uint64_t t;
	} number = { .t = 0 };
	int64_t value;
	int result = sd_bus_message_peek_type(message, NULL, &type);

	if (result < 0)
		return result;
	if (!type || strlen(type) != 1 || !strchr("ynqiuxt", type[0]))
		return -EINVAL;
	result = sd_bus_message_enter_container(message, 'v', type);
	if (result >= 0)
		result = sd_bus_message_read_basic(message, type[0], &number);
	if (result >= 0)
		result = sd_bus_message_exit_container(message);
	if (result < 0)
		return result;
	switch (type[0]) {
	case 'y':
		value = number.y;
		break;
	case 'n':
		value = number.n;
		break;
	case 'q':
		value = number.q;
		break;
	case 'i':
		value = number.i;
		break;
	case 'u':
		value = number.u;
		break;
	case 'x':
		value = number.x;
		break;
	default:
		value = number.t > INT64_MAX ? -1 : (int64_t)number.t;
		break;
	}
	if (value < 0 || (uint64_t)value > most)
		return -EINVAL;
	*out = (uint64_t)value;
	return 0;
}

/* A text that is not empty, printable, and shorter than size. */
static int read_text(sd_bus_message *message, size_t size, const char **out)
{
	const char *type, *text;
	int result = sd_bus_message_peek_type(message, NULL, &type);

	if (result < 0)
		return result;
	if (!type || strcmp(type, "s") != 0)
		return -EINVAL;
	result = sd_bus_message_read(message, "v", "s", &text);
	if (result < 0)
		return result;
	if (!text[0] || !text_is_printable(text, size))
		return -EINVAL;
	*out = text;
	return 0;
}

static int read_mode(sd_bus_message *message, struct bus_parameters *out)
{
	const char *text;
	int mode, result = read_text(message, 64, &text);

	if (result < 0)
		return result;
	mode = delivery_mode_from_string(text);
	if (mode < 0)
		return mode;
	out->question.mode = (enum delivery_mode)mode;
	return 0;
}

static int read_lease(sd_bus_message *message, struct bus_parameters *out)
{
	const char *text;
	int lease, result = read_text(message, 64, &text);

	if (result < 0)
		return result;
	lease = lease_kind_from_string(text);
	if (lease < 0)
		return lease;
	out->question.lease = (enum lease_kind)lease;
	return 0;
}

static const struct {
	enum bus_option option;
	const char *name;
	const char *what;
} option_names[] = {
	{ BUS_OPTION_MODE, "mode", "option 'mode' needs a string: attached, open or node" },
	{ BUS_OPTION_NUMA_NODE, "numa_node", "option 'numa_node' needs a number from 0 to 65535" },
	{ BUS_OPTION_USER, "user", "option 'user' needs a string: a user name or uid" },
	{ BUS_OPTION_LEASE, "lease", "option 'lease' needs a string: descriptor, process, unit or operator" },
	{ BUS_OPTION_LEASE_UNIT, "unit", "option 'unit' needs a string: the full name of a systemd unit" },
	{ BUS_OPTION_GRACE, "grace", "option 'grace' needs a number of milliseconds, at most a day" },
	{ BUS_OPTION_REASON, "reason", "option 'reason' needs a string: a sentence of at most 255 bytes" },
	{ BUS_OPTION_UNBIND, "unbind", "option 'unbind' needs true or false" },
	{ BUS_OPTION_UNIT, "unit", "option 'unit' needs a string: a systemd unit name" },
};

static int take_option(sd_bus_message *message, enum bus_option option, struct bus_parameters *out)
{
	uint64_t number;
	int result, truth;

	switch (option) {
	case BUS_OPTION_MODE:
		return read_mode(message, out);
	case BUS_OPTION_NUMA_NODE:
		result = read_number(message, UINT16_MAX, &number);
		if (result >= 0)
			out->question.numa_node = (int32_t)number;
		return result;
	case BUS_OPTION_USER:
		return read_text(message, 256, &out->question.user);
	case BUS_OPTION_UNIT:
		return read_text(message, UNIT_NAME_MAX, &out->question.unit);
	case BUS_OPTION_LEASE:
		return read_lease(message, out);
	case BUS_OPTION_LEASE_UNIT:
		result = read_text(message, UNIT_NAME_MAX, &out->question.lease_unit);
		return result >= 0 && !unit_name_is_valid(out->question.lease_unit) ? -EINVAL : result;
	case BUS_OPTION_GRACE:
		result = read_number(message, GRACE_MSEC_MAX, &number);
		if (result >= 0)
			out->grace_usec = number * 1000;
		return result;
	case BUS_OPTION_REASON:
		return read_text(message, TEXT_MAX, &out->reason);
	case BUS_OPTION_UNBIND:
		result = sd_bus_message_read(message, "v", "b", &truth);
		out->unbind = result >= 0 && truth;
		return result;
	}
	return -EINVAL;
}

static int read_option(sd_bus_message *message, const char *key, unsigned options, unsigned *given,
		       struct bus_parameters *out, sd_bus_error *error)
{
	char again[128];

	for (size_t i = 0; i < sizeof(option_names) / sizeof(option_names[0]); i++) {
		int result;

		if (strcmp(option_names[i].name, key) != 0 || !(options & option_names[i].option))
			continue;
		if (*given & option_names[i].option)
			return refuse(error, "option '%s' is given twice", shown(key, again));
		*given |= option_names[i].option;
		result = take_option(message, option_names[i].option, out);
		return result == -EINVAL || result == -ENXIO ? refuse(error, "%s", option_names[i].what) : result;
	}
	return refuse(error, "unknown option '%s'", shown(key, again));
}

static int read_options(sd_bus_message *message, unsigned options, struct bus_parameters *out, sd_bus_error *error)
{
	unsigned given = 0;
	const char *key;
	int result = sd_bus_message_enter_container(message, 'a', "{sv}");

	while (result >= 0 && (result = sd_bus_message_enter_container(message, 'e', "sv")) > 0) {
		result = sd_bus_message_read(message, "s", &key);
		if (result >= 0)
			result = read_option(message, key, options, &given, out, error);
		if (result >= 0)
			result = sd_bus_message_exit_container(message);
	}
	return result < 0 ? result : sd_bus_message_exit_container(message);
}

int bus_parameters_read(sd_bus_message *message, const char *signature, unsigned options, struct bus_parameters *out,
			sd_bus_error *error)
{
	int result, truth = 0;
	size_t texts = 0;

	memset(out, 0, sizeof(*out));
	out->question.mode = MODE_ATTACHED;
	out->question.numa_node = -1;
	out->grace_usec = UINT64_MAX;
	if (!sd_bus_message_has_signature(message, signature))
		return refuse(error, "the arguments must have the signature '%s'", signature);
	result = sd_bus_message_rewind(message, true);
	for (const char *at = signature; *at && result >= 0;) {
		if (strncmp(at, "as", 2) == 0) {
			result = read_devices(message, out, error);
			at += 2;
		} else if (strncmp(at, "a{sv}", 5) == 0) {
			result = read_options(message, options, out, error);
			at += 5;
		} else if (*at == 's') {
			result = sd_bus_message_read_basic(message, *at++, &out->text[texts++]);
		} else if (*at == 'v') {
			at++;
			result = sd_bus_message_skip(message, "v");
		} else if (*at == 'b') {
			result = sd_bus_message_read_basic(message, *at++, &truth);
		} else {
			result = sd_bus_message_read_basic(message, *at++, &out->number);
		}
	}
	out->truth = truth != 0;
	return result < 0 ? result : 0;
}
