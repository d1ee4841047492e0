//! QUERY_DEV_CAP and QUERY_DEF_PARAMS: what the firmware image brought along.
//!
//! Field places: mstflint 4.21 and FlexBoot 3.4.812 (the boot fields of dword
//! 2 to 4, the menu timeout); bits 31 and 30 of a port's dword 2 are set in
//! the genuine ConnectX-3 Pro image 2.42.5000.

use crate::sim::firmware::Firmware;

type Words = Vec<(usize, u32)>;

/// The dwords of QUERY_DEV_CAP that anybody reads.
pub(crate) fn device_capabilities(firmware: &Firmware) -> Words {
    let Some(defaults) = &firmware.profile.defaults else {
        return Words::new();
    };
    let ports = firmware.profile.port_count();
    let bit = |set: bool, place: u32| u32::from(set) << place;
    let switches = bit(defaults.sriov, 0)
        | bit(defaults.wake_on_lan, 1)
        | bit(defaults.wake_on_lan && ports > 1, 2)
        | bit(defaults.vpi, 3)
        | bit(defaults.vpi && ports > 1, 4)
        | bit(true, 5);
    // mstflint adds the physical function and the blue flame half itself.
    let functions = u32::from(defaults.max_vfs.saturating_add(1));
    let log_bar = u32::from(defaults.log_bar_size.saturating_sub(1) & 0x3f);
    vec![
        (0x38 / 4, functions),
        (0x48 / 4, log_bar << 16),
        // flash_nv_config: settings can be stored.
        (0x9c / 4, 1 << 16),
        (0xc0 / 4, switches),
        (0xc8 / 4, u32::from(defaults.max_log_bar_size & 0x3f) << 3),
    ]
}

/// QUERY_DEF_PARAMS: opcode modifier 0 for the card, else a port's number.
pub(crate) fn parameters(firmware: &Firmware, port: u32) -> Option<Words> {
    if port > u32::from(firmware.profile.port_count()) {
        return None;
    }
    let words = match port {
        0 => global(firmware),
        _ => per_port(firmware),
    };
    Some((0..).zip(words?).collect())
}

fn global(firmware: &Firmware) -> Option<Vec<u32>> {
    let defaults = firmware.profile.defaults.as_ref()?;
    let support =
        u32::from(defaults.cq_timestamp) << 17 | if defaults.card_switches { 7 << 14 } else { 0 };
    let values = u32::from(defaults.sriov) << 31
        | u32::from(defaults.cq_timestamp) << 29
        | u32::from(defaults.steer_force_vlan) << 28
        | u32::from(defaults.int_clock_to_user) << 27
        | u32::from(defaults.phy_parameter_mode & 3) << 22
        | u32::from(defaults.boot_ip_ver) << 21
        | u32::from(defaults.menu_timeout & 0xf) << 16
        | u32::from(defaults.max_log_bar_size & 0xf) << 12
        | u32::from(defaults.log_bar_size & 0xf) << 8
        | u32::from(defaults.vfs);
    Some(vec![1 << 24 | support, values, 0, 0, 0])
}

fn per_port(firmware: &Firmware) -> Option<Vec<u32>> {
    let defaults = firmware.profile.defaults.as_ref()?;
    let support = u32::from(defaults.wake_on_lan) << 19
        | u32::from(defaults.vpi) << 18
        | u32::from(defaults.forced_modes) << 17;
    let boot = 1 << 31
        | 1 << 30
        | u32::from(defaults.option_rom) << 29
        | u32::from(defaults.boot_vlan_enabled) << 28
        | u32::from(defaults.link_type & 3) << 25
        | u32::from(defaults.retry_count & 0xf) << 20
        | u32::from(defaults.boot_protocol & 0xf) << 16
        | u32::from(defaults.boot_vlan & 0xfff);
    let more = 1 << 31
        | 1 << 30
        | u32::from(defaults.more_dhcp) << 29
        | u32::from(defaults.ib_boot) << 28
        | u32::from(defaults.more_dhcp) << 27
        | u32::from(defaults.ip_ver & 3) << 24
        | u32::from(defaults.linkup_timeout) << 16
        | u32::from(defaults.pkey);
    let iscsi = if defaults.iscsi_dhcp { 3 << 30 } else { 0 }
        | u32::from(defaults.ib_client_identifier & 0xf) << 14
        | u32::from(defaults.phy_type & 3) << 12
        | u32::from(defaults.xfi_mode & 3) << 10
        | u32::from(defaults.force_mode) << 9;
    let waiting =
        u32::from(defaults.iscsi_link_up_delay) << 8 | u32::from(defaults.iscsi_lun_busy_retries);
    Some(vec![support, boot, more, iscsi, waiting, 0, 0])
}
