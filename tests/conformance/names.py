"""Names that a daemon's /flags and /metrics/snapshot always hold.

Flags: those that have a default or must be given. Metrics: those registered at the start,
whatever the flags. From master/idle/ and agent/idle/ of the transcripts.
"""

import re


def words(text: str) -> frozenset[str]:
    """Read names separated by white space."""
    return frozenset(text.split())


# Flags of mesos-master.
MASTER_FLAGS = words(
    """
    agent_ping_timeout agent_reregister_timeout allocation_interval allocator
    allocator_agent_recovery_factor allocator_recovery_timeout authenticate_agents
    authenticate_frameworks authenticate_http_frameworks authenticate_http_readonly
    authenticate_http_readwrite authentication_v0_timeout authenticators authorizers
    filter_gpu_resources framework_sorter help hostname_lookup http_authenticators
    initialize_driver_logging log_auto_initialize logbufsecs logging_level max_agent_ping_timeouts
    max_completed_frameworks max_completed_tasks_per_framework
    max_operator_event_stream_subscribers max_unreachable_tasks_per_framework memory_profiling
    min_allocatable_resources offer_constraints_re2_max_mem offer_constraints_re2_max_program_size
    port publish_per_framework_metrics quiet recovery_agent_removal_limit registry
    registry_fetch_timeout registry_gc_interval registry_max_agent_age registry_max_agent_count
    registry_store_timeout registry_strict require_agent_domain role_sorter root_submissions
    version webui_dir work_dir zk_session_timeout
    """
)

# Flags of mesos-agent.
AGENT_FLAGS = words(
    """
    appc_simple_discovery_uri_prefix appc_store_dir authenticate_http_executors
    authenticate_http_readonly authenticate_http_readwrite authenticatee
    authentication_backoff_factor authentication_timeout_max authentication_timeout_min authorizer
    cgroups_cpu_enable_pids_and_tids_count cgroups_destroy_timeout cgroups_enable_cfs
    cgroups_hierarchy cgroups_limit_swap cgroups_root container_disk_watch_interval containerizers
    default_role disallow_sharing_agent_ipc_namespace disallow_sharing_agent_pid_namespace
    disk_watch_interval docker docker_ignore_runtime docker_kill_orphans docker_remove_delay
    docker_socket docker_stop_timeout docker_store_dir docker_volume_checkpoint_dir
    docker_volume_chown enforce_container_disk_quota executor_registration_timeout
    executor_reregistration_timeout executor_shutdown_grace_period fetcher_cache_dir
    fetcher_cache_size fetcher_stall_timeout frameworks_home gc_delay gc_disk_headroom
    gc_non_executor_container_sandboxes help hostname_lookup http_command_executor
    http_executor_domain_sockets http_heartbeat_interval initialize_driver_logging isolation
    launcher launcher_dir logbufsecs logging_level max_completed_executors_per_framework
    memory_profiling network_cni_metrics network_cni_root_dir_persist
    oversubscribed_resources_interval perf_duration perf_interval port qos_correction_interval_min
    quiet reconfiguration_policy recover recovery_timeout registration_backoff_factor
    revocable_cpu_low_priority runtime_dir sandbox_directory strict switch_user
    systemd_enable_support systemd_runtime_directory version work_dir zk_session_timeout
    """
)

# Metrics of a master, but for those of offer operations.
MASTER_METRICS = words(
    """
    master/cpus_percent master/cpus_revocable_percent master/cpus_revocable_total
    master/cpus_revocable_used master/cpus_total master/cpus_used master/disk_percent
    master/disk_revocable_percent master/disk_revocable_total master/disk_revocable_used
    master/disk_total master/disk_used master/dropped_messages master/elected
    master/event_queue_dispatches master/event_queue_http_requests master/event_queue_messages
    master/frameworks_active master/frameworks_connected master/frameworks_disconnected
    master/frameworks_inactive master/gpus_percent master/gpus_revocable_percent
    master/gpus_revocable_total master/gpus_revocable_used master/gpus_total master/gpus_used
    master/http_cache_hits master/invalid_executor_to_framework_messages
    master/invalid_framework_to_executor_messages
    master/invalid_operation_status_update_acknowledgements
    master/invalid_operation_status_updates master/invalid_status_update_acknowledgements
    master/invalid_status_updates master/mem_percent master/mem_revocable_percent
    master/mem_revocable_total master/mem_revocable_used master/mem_total master/mem_used
    master/messages_authenticate master/messages_deactivate_framework
    master/messages_decline_offers master/messages_executor_to_framework
    master/messages_exited_executor master/messages_framework_to_executor
    master/messages_kill_task master/messages_launch_tasks master/messages_operation_status_update
    master/messages_operation_status_update_acknowledgement master/messages_reconcile_operations
    master/messages_reconcile_tasks master/messages_register_framework
    master/messages_register_slave master/messages_reregister_framework
    master/messages_reregister_slave master/messages_resource_request
    master/messages_revive_offers master/messages_status_update
    master/messages_status_update_acknowledgement master/messages_suppress_offers
    master/messages_unregister_framework master/messages_unregister_slave
    master/messages_update_slave master/operator_event_stream_subscribers
    master/outstanding_offers master/recovery_slave_removals master/slave_registrations
    master/slave_removals master/slave_removals/reason_registered
    master/slave_removals/reason_unhealthy master/slave_removals/reason_unregistered
    master/slave_reregistrations master/slave_shutdowns_canceled master/slave_shutdowns_completed
    master/slave_shutdowns_scheduled master/slave_unreachable_canceled
    master/slave_unreachable_completed master/slave_unreachable_scheduled master/slaves_active
    master/slaves_connected master/slaves_disconnected master/slaves_inactive
    master/slaves_unreachable master/tasks_dropped master/tasks_error master/tasks_failed
    master/tasks_finished master/tasks_gone master/tasks_gone_by_operator master/tasks_killed
    master/tasks_killing master/tasks_lost master/tasks_running master/tasks_staging
    master/tasks_starting master/tasks_unreachable master/uptime_secs
    master/valid_executor_to_framework_messages master/valid_framework_to_executor_messages
    master/valid_operation_status_update_acknowledgements master/valid_operation_status_updates
    master/valid_status_update_acknowledgements master/valid_status_updates system/cpus_total
    system/load_15min system/load_1min system/load_5min system/mem_free_bytes
    system/mem_total_bytes
    """
)

# Metrics of an agent, but for those of resource providers.
AGENT_METRICS = words(
    """
    slave/container_launch_errors slave/cpus_percent slave/cpus_revocable_percent
    slave/cpus_revocable_total slave/cpus_revocable_used slave/cpus_total slave/cpus_used
    slave/disk_percent slave/disk_revocable_percent slave/disk_revocable_total
    slave/disk_revocable_used slave/disk_total slave/disk_used
    slave/executor_directory_max_allowed_age_secs slave/executors_preempted
    slave/executors_registering slave/executors_running slave/executors_terminated
    slave/executors_terminating slave/frameworks_active slave/gpus_percent
    slave/gpus_revocable_percent slave/gpus_revocable_total slave/gpus_revocable_used
    slave/gpus_total slave/gpus_used slave/invalid_framework_messages slave/invalid_status_updates
    slave/mem_percent slave/mem_revocable_percent slave/mem_revocable_total
    slave/mem_revocable_used slave/mem_total slave/mem_used slave/recovery_errors
    slave/recovery_time_secs slave/registered slave/tasks_failed slave/tasks_finished
    slave/tasks_gone slave/tasks_killed slave/tasks_killing slave/tasks_lost slave/tasks_running
    slave/tasks_staging slave/tasks_starting slave/uptime_secs slave/valid_framework_messages
    slave/valid_status_updates system/cpus_total system/load_15min system/load_1min
    system/load_5min system/mem_free_bytes system/mem_total_bytes
    """
)

ABSENT_METRICS = re.compile(
    r"(allocator|allocator/mesos)/event_queue_dispatches|allocator/mesos/allocation_run_latency_ms.*"
    r"|(containerizer|resource_provider_manager)/.*|frameworks/.+/messages_\w+"
)
"""Metrics of parts that the tests of this suite do not ask for."""


def absent_metric(name: str) -> bool:
    """Say whether a recorded metric is one that not every cluster has."""
    return ABSENT_METRICS.fullmatch(name) is not None
