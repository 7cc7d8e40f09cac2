"""The host side of the VM rig: what run-vm and make-initramfs are made of. Python 3.11 and its library, no more."""
