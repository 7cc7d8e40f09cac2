#include "help.h"

#include "command_line.h"

/* The options that a set of bits allows, and those that every verb takes. */
static void write_options(FILE *stream, unsigned int bits)
{
	fputs("\nOptions:\n", stream);
	for (const struct option_row *option = command_line_options; option->name != NULL; option++) {
		char name[40];
		char letter[8] = "    ";

		if (option->bit != 0 && !(option->bit & bits))
			continue;
		if (option->letter != 0)
			snprintf(letter, sizeof(letter), "-%c, ", option->letter);
		snprintf(name, sizeof(name), "%s%s%s", option->name, option->value != NULL ? " " : "",
			 option->value != NULL ? option->value : "");
		fprintf(stream, "  %s%-18s %s\n", letter, name, option->text);
	}
}

void help_write_all(FILE *stream, const struct verb *const *verbs)
{
	fputs("Usage: ioasidctl [OPTION]... VERB [ARGUMENT]...\n"
	      "Claim devices from ioasidd, show who has them and what a claim would cost.\n"
	      "\nVerbs:\n",
	      stream);
	for (; *verbs != NULL; verbs++) {
		char usage[40];

		snprintf(usage, sizeof(usage), "%s %s", (*verbs)->name, (*verbs)->arguments);
		fprintf(stream, "  %-27s %s\n", usage, (*verbs)->summary);
	}
	write_options(stream, 0);
	fputs("\nDevices are named by their address: 0000:01:00.0 or 01:00.0.\n"
	      "\nExit status: 0 success, or a claim would be allowed; 1 failure; 2 invalid\n"
	      "command line; 3 permission denied by policy; 4 busy; 5 no such device or claim;\n"
	      "6 not supported by this kernel or hardware; 7 cannot connect to ioasidd.\n"
	      "\nSee `ioasidctl VERB --help` and ioasidctl(8).\n",
	      stream);
}

void help_write_verb(FILE *stream, const struct verb *verb)
{
	fprintf(stream, "Usage: ioasidctl %s [OPTION]...%s%s\n%s", verb->name, *verb->arguments != '\0' ? " " : "",
		verb->arguments, verb->text);
	write_options(stream, verb->options);
}
