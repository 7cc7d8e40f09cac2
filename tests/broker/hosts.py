"""Simulated hosts and policies that the broker's tests speak of by name."""
import copy

EDU, NIC, ALONE, FLR_NIC, DISK, BRIDGE = ("0000:01:01.0", "0000:01:02.0", "0000:00:03.0", "0000:02:00.0",
                                         "0000:00:05.0", "0000:00:02.0")
SECOND_EDU = "0000:01:03.0"


def device(address, ids, device_class, group, driver=None, **more):
    vendor, number = ids.split(":")
    return {"name": address, "vendor_id": vendor, "device_id": number, "class": device_class, "group": group,
            "driver": driver, **more}


def small_host():
    return copy.deepcopy({
        "kernel": {"release": "6.12.0-simulated", "iommufd": True, "vfio_cdev": True, "vfio_group": True},
        "devices": [
            device(BRIDGE, "1b36:000e", "060400", 1, bridge=True),
            device(EDU, "1234:11e8", "00ff00", 1, parent=BRIDGE),
            device(NIC, "8086:100e", "020000", 1, "e1000", parent=BRIDGE, drivers=["e1000"]),
            device(SECOND_EDU, "1234:11e8", "00ff00", 1, parent=BRIDGE),
            device(ALONE, "1234:11e8", "00ff00", 2),
            device(FLR_NIC, "8086:10d3", "020000", 3, "e1000e", drivers=["e1000e"], reset_methods=["flr"]),
            device(DISK, "1b36:0010", "010802", 4, "nvme", drivers=["nvme"], reset_methods=["flr"]),
        ],
        "uses": [],
    })


def large_host(count=10000):
    """The small host, and so many cards beside it, each alone in its group."""
    host = small_host()
    host["devices"] += [device(f"{1 + number // 8192:04x}:{number // 32 % 256:02x}:{number % 32:02x}.0", "1234:11e8",
                               "00ff00",
                               100 + number) for number in range(count)]
    return host


def group_host(**kernel):
    """The same host without iommufd: all there is are groups and containers."""
    host = small_host()
    host["kernel"].update({"iommufd": False, "vfio_cdev": False, "vfio_group": True, **kernel})
    return host


def rule(name="cards", user=None, **more):
    """A rule that allows the edu cards, with what may be locked out unused."""
    text = {"name": name, "effect": "allow", "device": {"id": ["1234:11e8"]}, "lockout": "unused", "reset": "try"}
    if user is not None:
        text["subject"] = {"user": user}
    text.update(more)
    return text


def policy(*rules, **more):
    return {"rules": list(rules) or [rule()], **more}
