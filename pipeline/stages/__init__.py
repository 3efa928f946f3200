"""The pure stages of the one path: records in, records out; no files, no sockets, no clock."""
