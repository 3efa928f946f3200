"""A local stand-in for the receiving API: its rules, its answers, and faults on request.

It imports nothing of the rest of the project, so that a mistake there cannot hide here. Start
reading at `core` (what the API accepts), then `faults` (what may go wrong), then `app` (HTTP).

This file imports nothing either: `options` is loaded by every start of the command line.
"""
