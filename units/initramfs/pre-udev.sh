#!/bin/sh
# Before udev: see module-setup.sh.
/usr/libexec/ioasidd/reserve now /etc/udev/rules.d/60-ioasidd-reserve.rules
