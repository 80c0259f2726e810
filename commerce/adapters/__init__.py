"""The ports, filled in: SQL store, address rules, gateways, tokens, events."""
