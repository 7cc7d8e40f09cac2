# verdict: ok
# What leaves-it-uninstalled took away is there again.
enable_product
expect_success ioasidctl status
disable_product
