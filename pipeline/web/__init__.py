"""The web page for operations people, and the addresses for machines.

It uses the same ledger and folders as every command, and the same ways to change them: an upload is
a file put into the inbox, a correction is a new drop, ``retry`` and ``cancel`` are the requests of
the commands.
"""
