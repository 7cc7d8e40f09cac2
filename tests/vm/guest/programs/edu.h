/*
 * A user-space driver of QEMU's edu device (1234:11e8) over VFIO: maps memory of its own, has the device read it and
 * write it back to another place by DMA, waits for each end by MSI, and compares. Opens nothing. Whatever fails ends
 * the process.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum {
	EDU_PAGE = 4096,
	EDU_MEMORY = 2 * EDU_PAGE, /* what is mapped: one page that is read, one that is written */
	EDU_BYTES = 2048,          /* of a round */
};

struct edu {
	int device; /* not ours to close */
	int irq;    /* eventfd behind MSI 0 */
	uint64_t bar;
	uint64_t config;
};

/* Where memory is mapped for the device: an IOAS of an iommufd, or a container. */
struct edu_space {
	int fd;
	bool is_container;
	uint32_t ioas;
};

/* Takes the device's FD, which is bound and attached, and gets the device ready. */
void edu_open(struct edu *edu, int device);
/* Maps EDU_MEMORY bytes. */
void edu_map(const struct edu_space *space, void *memory);
/* A round: prepare, start the reading, wait, start the writing, wait, verify. */
void edu_prepare(unsigned char *memory, unsigned seed);
void edu_start_reading(const struct edu *edu);
void edu_start_writing(const struct edu *edu);
void edu_wait(const struct edu *edu);
void edu_verify(const unsigned char *memory);
