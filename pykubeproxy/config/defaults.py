"""Defaults that depend on what a file says, and on the mode (`docs/reference/lifecycle.md` section 3)."""

from msgspec.structs import replace

from pykubeproxy.config.addresses import HEALTHZ_PORT, METRICS_PORT, default_addresses, with_port
from pykubeproxy.config.duration import Duration
from pykubeproxy.config.types import KubeProxyConfiguration

DEFAULTS = KubeProxyConfiguration()


def with_file_defaults(config: KubeProxyConfiguration) -> KubeProxyConfiguration:
    """Complete a configuration that was read from a file, in which zero and empty mean unset.

    The health and metrics addresses follow the family of the file's bindAddress; a bare IP gets its default port.
    """
    bind_address = config.bind_address or DEFAULTS.bind_address
    healthz, metrics = default_addresses(bind_address)
    client, logging, iptables = config.client_connection, config.logging, config.iptables
    return replace(
        config,
        bind_address=bind_address,
        healthz_bind_address=with_port(config.healthz_bind_address or healthz, HEALTHZ_PORT),
        metrics_bind_address=with_port(config.metrics_bind_address or metrics, METRICS_PORT),
        config_sync_period=config.config_sync_period or DEFAULTS.config_sync_period,
        client_connection=replace(
            client,
            content_type=client.content_type or DEFAULTS.client_connection.content_type,
            qps=client.qps or DEFAULTS.client_connection.qps,
            burst=client.burst or DEFAULTS.client_connection.burst,
        ),
        logging=replace(
            logging,
            format=logging.format or DEFAULTS.logging.format,
            flush_frequency=logging.flush_frequency or DEFAULTS.logging.flush_frequency,
        ),
        iptables=replace(
            iptables,
            sync_period=iptables.sync_period or DEFAULTS.iptables.sync_period,
            min_sync_period=iptables.min_sync_period or DEFAULTS.iptables.min_sync_period,
        ),
    )


def with_platform_defaults(config: KubeProxyConfiguration) -> KubeProxyConfiguration:
    """Settle what is still open, wherever it came from: the mode, and how local traffic is detected.

    The sync periods and masqueradeAll of the modes not chosen are dropped, so that the configuration shows one of each.
    """
    unused = Duration(0)
    return replace(
        config,
        mode=config.mode or DEFAULTS.mode,
        detect_local_mode=config.detect_local_mode or DEFAULTS.detect_local_mode,
        ipvs=replace(config.ipvs, sync_period=unused, min_sync_period=unused),
        nftables=replace(config.nftables, sync_period=unused, min_sync_period=unused, masquerade_all=False),
    )
