"""A small host as a daemon would tell of it: a disk and a card behind one bridge, and a network device of its own."""

from fake_daemon import FakeDaemon, Reply


def device(address, **changes):
    known = {"name": address, "kind": "pci", "vendor_id": "1234", "device_id": "11e8",
             "subsystem_vendor_id": "1af4", "subsystem_device_id": "1100", "class": "00ff00",
             "class_text": "unclassified device", "driver": None, "driver_override": None, "group": 0,
             "numa_node": None, "parent": None, "physical_function": None, "virtual_functions": 0,
             "virtual_functions_max": 0, "bridge": False, "reset_methods": ["flr", "bus"], "vfio_node": None,
             "state": "free", "claim": None, "locked_out": False}
    return dict(known, **changes)


BRIDGE = device("0000:00:1c.0", vendor_id="8086", device_id="a110", class_text="PCI bridge", driver="pcieport", group=7,
                bridge=True, **{"class": "060400"})
CARD = device("0000:01:00.0", group=7, parent="0000:00:1c.0", driver="vfio-pci", driver_override="vfio-pci",
              vfio_node="vfio0", state="held", claim="c1")
DISK = device("0000:01:01.0", vendor_id="144d", device_id="a80a", class_text="NVM Express controller", group=7,
              parent="0000:00:1c.0", state="held", claim="c1", locked_out=True, driver_override="ioasidd-locked-out",
              **{"class": "010802"})
NETWORK = device("0000:00:1f.6", vendor_id="8086", device_id="15b8", class_text="Ethernet controller", driver="e1000e",
                 group=9, reset_methods=[], **{"class": "020000"})
SOUND = device("0000:00:1f.3", class_text="audio device", driver="snd_hda_intel", group=None)

DEVICES = [BRIDGE, SOUND, NETWORK, CARD, DISK]
GROUPS = [{"number": 7, "members": [BRIDGE["name"], CARD["name"], DISK["name"]], "state": "held"},
          {"number": 9, "members": [NETWORK["name"]], "state": "free"}]
CLAIMS = [{"id": "c1", "state": "held", "mode": "attached", "interface": "iommufd",
           "rule": "alice drives the test card", "uid": 1000, "pid": 4711, "since": 1760000000000000,
           "devices": [CARD["name"]], "lockouts": [DISK["name"]],
           "note": None}]
STATUS = {"version": "0.1.0", "interface": "iommufd",
          "kernel": {"release": "6.12.0", "iommufd": True, "vfio_cdev": True, "vfio_group": False,
                     "unsafe_interrupts": False, "noiommu": False},
          "policy": {"files": ["/etc/ioasidd/policy.d/50-alice.json"], "rules": 3, "digest": "0123456789abcdef"},
          "devices": 5, "groups": 2, "claims": 1}


def daemon(devices=None, groups=None, claims=None, status=None):
    return FakeDaemon({"ListDevices": Reply({"devices": DEVICES if devices is None else devices}),
                       "ListGroups": Reply({"groups": GROUPS if groups is None else groups}),
                       "ListClaims": Reply({"claims": CLAIMS if claims is None else claims}),
                       "GetStatus": Reply(STATUS if status is None else status)})
