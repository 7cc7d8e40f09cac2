/*
 * What the guest's programs need of the iommufd and VFIO cdev interfaces, declared anew because the headers of
 * Debian 12 (Linux 6.1) lack both. Names are our own, so that newer system headers can be included beside this.
 * Source: <linux/iommufd.h> and <linux/vfio.h> of Linux 6.12.
 */
#pragma once

#include <linux/types.h>
#include <linux/vfio.h>
#include <sys/ioctl.h>

#define UAPI_IOMMU_DESTROY _IO(';', 0x80)
#define UAPI_IOMMU_IOAS_ALLOC _IO(';', 0x81)
#define UAPI_IOMMU_IOAS_MAP _IO(';', 0x85)
#define UAPI_IOMMU_IOAS_UNMAP _IO(';', 0x86)
#define UAPI_IOMMU_OPTION _IO(';', 0x87)
#define UAPI_VFIO_BIND _IO(VFIO_TYPE, VFIO_BASE + 18)
#define UAPI_VFIO_ATTACH _IO(VFIO_TYPE, VFIO_BASE + 19)
#define UAPI_VFIO_DETACH _IO(VFIO_TYPE, VFIO_BASE + 20)

struct uapi_ioas_alloc {
	__u32 size;
	__u32 flags;
	__u32 out_ioas_id;
};

enum {
	UAPI_MAP_FIXED_IOVA = 1 << 0,
	UAPI_MAP_WRITEABLE = 1 << 1,
	UAPI_MAP_READABLE = 1 << 2,
};

struct uapi_ioas_map {
	__u32 size;
	__u32 flags; /* UAPI_MAP_… */
	__u32 ioas_id;
	__u32 reserved;
	__aligned_u64 user_va;
	__aligned_u64 length;
	__aligned_u64 iova; /* in with UAPI_MAP_FIXED_IOVA, else out */
};

struct uapi_ioas_unmap {
	__u32 size;
	__u32 ioas_id;
	__aligned_u64 iova;
	__aligned_u64 length; /* out: bytes that were unmapped */
};

enum {
	UAPI_OPTION_RLIMIT_MODE = 0,
	UAPI_OPTION_SET = 0,
};

struct uapi_option {
	__u32 size;
	__u32 option_id;
	__u16 op;
	__u16 reserved;
	__u32 object_id;
	__aligned_u64 val64;
};

struct uapi_vfio_bind {
	__u32 argsz;
	__u32 flags;
	__s32 iommufd;
	__u32 out_devid;
};

struct uapi_vfio_attach {
	__u32 argsz;
	__u32 flags;
	__u32 pt_id; /* in: an IOAS; out: the page table that was chosen for it */
};
