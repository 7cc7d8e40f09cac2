/*
 * The guest's process 1 once /init has set the machine up, or a service of systemd's: takes orders from the host over
 * the control port, runs one scenario at a time, carries its output line by line, reaps whoever lost its parent. It
 * judges nothing.
 *
 * from the host:  run NAME [VARIABLE=VALUE]…   answer TEXT   diagnose   reboot (with systemd)   off
 * to the host:    @ready   | LINE OF OUTPUT   @end STATUS   and, by the scenario itself:   @host MONITOR COMMAND
 */
#include "rig.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LINE_SIZE = 1024, ESCAPED = 4, WORDS_MAX = 32 };

#define CONTROL "/dev/control"
#define SESSION "/rig/session"
#define DIAGNOSE "/rig/diagnose"
#define ANSWER "/run/rig/answer"
#define SYSTEMCTL "/bin/systemctl"

struct agent {
	int control;
	int children;  /* signalfd: SIGCHLD */
	int output[2]; /* pipe of everything that scenarios print; both ends stay open, so it has no end */
	pid_t session; /* or 0 */
	char line[2 + LINE_SIZE + ESCAPED + 1];
	size_t used;
	char order[LINE_SIZE];
	size_t order_used;
};

static void send_bytes(struct agent *agent, const char *bytes, size_t length)
{
	ssize_t wrote;

	while (length > 0) {
		wrote = write(agent->control, bytes, length);
		if (wrote < 0 && errno != EINTR)
			die_errno("can't write to the control port");
		if (wrote > 0) {
			bytes += wrote;
			length -= (size_t)wrote;
		}
	}
}

/* A line goes out in one write, because scenarios write their own lines to the same port. */
static void flush_line(struct agent *agent)
{
	agent->line[agent->used++] = '\n';
	send_bytes(agent, agent->line, agent->used);
	agent->used = 2;
}

static void take_byte(struct agent *agent, unsigned char byte)
{
	if (byte == '\n') {
		flush_line(agent);
		return;
	}
	if (agent->used >= 2 + LINE_SIZE)
		flush_line(agent);
	/* ESC passes, for the colours of the demo; what else is no text is shown. */
	if ((byte < 0x20 && byte != '\t' && byte != 0x1b) || byte == 0x7f)
		agent->used += (size_t)snprintf(agent->line + agent->used, ESCAPED + 1, "\\x%02x", byte);
	else
		agent->line[agent->used++] = (char)byte;
}

/* Carries what is in the pipe now; never waits for more. */
static void carry_output(struct agent *agent)
{
	unsigned char bytes[4096];
	ssize_t got;
	ssize_t i;

	while ((got = read(agent->output[0], bytes, sizeof bytes)) > 0)
		for (i = 0; i < got; i++)
			take_byte(agent, bytes[i]);
	if (got < 0 && errno != EAGAIN && errno != EINTR)
		die_errno("can't read the output of the scenario");
}

/* Runs a program with its output in our pipe, in a session of its own. ARGV is "VARIABLE=VALUE" from ENV_FROM on. */
static pid_t start(struct agent *agent, char **argv, int env_from)
{
	sigset_t none;
	pid_t child = fork();
	int null;
	int i;

	if (child != 0) {
		if (child < 0)
			die_errno("fork");
		return child;
	}
	sigemptyset(&none);
	null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (sigprocmask(SIG_SETMASK, &none, NULL) < 0 || setsid() < 0 || null < 0 || dup2(null, 0) < 0 ||
	    dup2(agent->output[1], 1) < 0 || dup2(agent->output[1], 2) < 0)
		die_errno("can't set up %s", argv[0]);
	for (i = env_from; argv[i]; i++)
		putenv(argv[i]);
	argv[env_from] = NULL;
	execv(argv[0], argv);
	die_errno("can't run %s", argv[0]);
}

static void reap(struct agent *agent)
{
	struct signalfd_siginfo info;
	char line[64];
	pid_t child;
	int status;

	if (read(agent->children, &info, sizeof info) < 0 && errno != EAGAIN && errno != EINTR)
		die_errno("can't read the signal");
	while ((child = waitpid(-1, &status, WNOHANG)) > 0) {
		if (child != agent->session)
			continue;
		agent->session = 0;
		carry_output(agent);
		if (agent->used > 2)
			flush_line(agent);
		snprintf(line, sizeof line, "@end %d\n",
			 WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
		send_bytes(agent, line, strlen(line));
	}
}

/* Appears under its name only when it is complete. */
static void store_answer(const char *text)
{
	int fd = open(ANSWER ".part", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0 || write(fd, text, strlen(text)) < 0 || write(fd, "\n", 1) < 0)
		die_errno("can't store the answer");
	close(fd);
	if (rename(ANSWER ".part", ANSWER) < 0)
		die_errno("can't store the answer");
}

static void obey(struct agent *agent, char *order)
{
	char *words[WORDS_MAX + 3] = { 0 };
	char *rest = order;
	unsigned n = 0;

	if (strncmp(order, "answer ", 7) == 0) {
		store_answer(order + 7);
		return;
	}
	words[n++] = (char *)SESSION;
	while (n <= WORDS_MAX && (words[n] = strsep(&rest, " ")))
		n++;
	if (n >= 3 && strcmp(words[1], "run") == 0 && agent->session == 0) {
		words[1] = words[0]; /* SESSION NAME */
		agent->session = start(agent, words + 1, 2);
	} else if (strcmp(order, "diagnose") == 0) {
		char *diagnose[] = { (char *)DIAGNOSE, NULL, NULL };
		start(agent, diagnose, 1);
	} else if (strcmp(order, "reboot") == 0) {
		char *systemctl[] = { (char *)SYSTEMCTL, (char *)"reboot", NULL, NULL };
		start(agent, systemctl, 2);
	} else if (strcmp(order, "off") == 0) {
		sync();
		reboot(RB_POWER_OFF);
		die_errno("can't power off");
	} else {
		die("the host's order makes no sense: '%s'", order);
	}
}

static void take_orders(struct agent *agent)
{
	char *end;
	ssize_t got =
		read(agent->control, agent->order + agent->order_used, sizeof agent->order - agent->order_used - 1);

	if (got < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (got <= 0)
		die_errno("the control port has ended");
	agent->order_used += (size_t)got;
	agent->order[agent->order_used] = '\0';
	while ((end = strchr(agent->order, '\n'))) {
		*end = '\0';
		obey(agent, agent->order);
		agent->order_used -= (size_t)(end + 1 - agent->order);
		memmove(agent->order, end + 1, agent->order_used + 1);
	}
	if (agent->order_used == sizeof agent->order - 1)
		die("the host's order is too long");
}

int main(void)
{
	struct agent agent = { .line = "| ", .used = 2 };
	struct pollfd wait[3];
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGCHLD);
	agent.control = open(CONTROL, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (agent.control < 0)
		die_errno("can't open the control port");
	agent.children = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	if (agent.children < 0 || sigprocmask(SIG_BLOCK, &signals, NULL) < 0)
		die_errno("can't watch for signals");
	if (pipe2(agent.output, O_CLOEXEC) < 0 || fcntl(agent.output[0], F_SETFL, O_NONBLOCK) < 0)
		die_errno("can't make a pipe");
	send_bytes(&agent, "@ready\n", 7);
	for (;;) {
		wait[0] = (struct pollfd){ .fd = agent.control, .events = POLLIN };
		wait[1] = (struct pollfd){ .fd = agent.children, .events = POLLIN };
		wait[2] = (struct pollfd){ .fd = agent.output[0], .events = POLLIN };
		if (poll(wait, 3, -1) < 0 && errno != EINTR)
			die_errno("poll");
		if (wait[2].revents)
			carry_output(&agent);
		if (wait[0].revents)
			take_orders(&agent);
		if (wait[1].revents)
			reap(&agent);
	}
}
