# verdict: not ok
# says: +/etc/systemd/system/sockets.target.wants/ioasidd.socket
systemctl --quiet enable ioasidd.socket
