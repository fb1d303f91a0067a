"""The transport against real sockets on loopback, with servers that do as the test says."""
