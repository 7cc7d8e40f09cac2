/*
 * The arbiter's answers as replies over the bus. Descriptors of devices are not sent: the call keeps them as an offer,
 * until they are opened one by one.
 */
#pragma once

#include "bus_call.h"

/* A requester's answer callback; its context is the struct bus_call. */
void bus_answers_write(void *context, const struct answer *answer);
/* Answers a call of OpenDevice with copies from an offer, which is another call's. device: of this claim. */
void bus_answers_open(struct bus_call *call, struct bus_offer *offer, const struct claim *claim,
		      const struct claim_device *device);
