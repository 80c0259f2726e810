"""What checkout, client and activities share: the domain, the contract, the ports, the adapters."""
