"""UDP and TCP flows that connection tracking goes on sending to where no endpoint of the Service is left. Pure."""
