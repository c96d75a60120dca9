"""Flags of Mesos' agent whose features Pocket lacks altogether: each says so when it is given."""

from pocket_mesos.flags.base import unsupported
from pocket_mesos.flags.common import CommonFlags
from pocket_mesos.flags.types import BOOLEAN, BYTES, DURATION, STRING


class LackingAgentFlags(CommonFlags):
    """What mesos-agent refuses, known by name.

    They have no defaults: /flags does not show them, as real Mesos where it is built without them.
    """

    agent_subsystems = unsupported(
        STRING, None, "Cgroup subsystems for the agent itself.", alias="slave_subsystems"
    )
    cgroups_net_cls_primary_handle = unsupported(STRING, None, "For cgroups/net_cls.")
    cgroups_net_cls_secondary_handles = unsupported(STRING, None, "For cgroups/net_cls.")
    check_agent_port_range_only = unsupported(BOOLEAN, None, "For the isolator network/ports.")
    container_ports_watch_interval = unsupported(DURATION, None, "For network/ports.")
    csi_plugin_config_dir = unsupported(STRING, None, "For storage by CSI plugins.")
    default_container_dns = unsupported(STRING, None, "For containers' networks.")
    disk_profile_adaptor = unsupported(STRING, None, "For resource providers.")
    egress_flow_classifier_parent = unsupported(STRING, None, "For network/port_mapping.")
    egress_rate_limit_per_container = unsupported(BYTES, None, "For network/port_mapping.")
    egress_unique_flow_per_container = unsupported(BOOLEAN, None, "For network/port_mapping.")
    enforce_container_ports = unsupported(BOOLEAN, None, "For the isolator network/ports.")
    eth0_name = unsupported(STRING, None, "For network/port_mapping.")
    ip6 = unsupported(STRING, None, "IPv6 address that containers advertise.")
    ip6_discovery_command = unsupported(STRING, None, "Command that prints that address.")
    lo_name = unsupported(STRING, None, "For network/port_mapping.")
    master_detector = unsupported(STRING, None, "Detector module.")
    network_enable_snmp_statistics = unsupported(BOOLEAN, None, "For network/port_mapping.")
    network_enable_socket_statistics_details = unsupported(
        BOOLEAN, None, "For network/port_mapping."
    )
    network_enable_socket_statistics_summary = unsupported(
        BOOLEAN, None, "For network/port_mapping."
    )
    nvidia_gpu_devices = unsupported(STRING, None, "For the isolator gpu/nvidia.")
    secret_resolver = unsupported(STRING, None, "Module that resolves secrets.")
    volume_gid_range = unsupported(STRING, None, "For volumes that users share.")
    xfs_kill_containers = unsupported(BOOLEAN, None, "For the isolator disk/xfs.")
