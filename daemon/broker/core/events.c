#include "events.h"

void newsroom_add(struct newsroom *newsroom, struct news_listener *listener)
{
	struct news_listener **link = &newsroom->first;

	while (*link)
		link = &(*link)->next;
	listener->next = NULL;
	*link = listener;
}

void newsroom_remove(struct newsroom *newsroom, struct news_listener *listener)
{
	for (struct news_listener **link = &newsroom->first; *link; link = &(*link)->next)
		if (*link == listener) {
			*link = listener->next;
			listener->next = NULL;
			return;
		}
}

void newsroom_tell(struct newsroom *newsroom, const struct news *news)
{
	struct news_listener *next;

	/* A listener may take itself out while it hears. */
	for (struct news_listener *listener = newsroom->closed ? NULL : newsroom->first; listener; listener = next) {
		next = listener->next;
		listener->hear(listener->context, news);
	}
}

void newsroom_close(struct newsroom *newsroom)
{
	newsroom->closed = true;
}
