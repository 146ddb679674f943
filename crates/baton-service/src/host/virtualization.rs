//! Which container or hypervisor a machine runs in.

use super::facts::HostFacts;

/// Parts of product names, and the hypervisors that set them.
const PRODUCTS: [(&str, &str); 9] = [
    ("kvm", "kvm"),
    ("qemu", "kvm"),
    ("standard pc", "kvm"),
    ("google compute engine", "kvm"),
    ("openstack", "kvm"),
    ("vmware", "vmware"),
    ("virtualbox", "vbox"),
    ("hvm domu", "xen"),
    // That of Hyper-V.
    ("virtual machine", "hyperv"),
];

/// The innermost one that is known, or `none`.
pub(super) fn of(facts: &HostFacts) -> &'static str {
    if facts.is_docker {
        return "docker";
    }
    if facts.is_podman {
        return "podman";
    }
    let product = facts.product_name.as_deref().unwrap_or_default();
    let product = product.to_ascii_lowercase();
    let known = PRODUCTS.iter().find(|(part, _)| product.contains(part));
    known.map_or("none", |(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn containers_come_before_hypervisors() {
        let mut facts = HostFacts::default();
        assert_eq!(of(&facts), "none");
        for (product, expected) in [
            ("Standard PC (Q35 + ICH9, 2009)\n", "kvm"),
            ("KVM\n", "kvm"),
            ("VMware Virtual Platform\n", "vmware"),
            ("VirtualBox\n", "vbox"),
            ("HVM domU\n", "xen"),
            ("Virtual Machine\n", "hyperv"),
            ("ThinkPad T480\n", "none"),
        ] {
            facts.product_name = Some(product.to_owned());
            assert_eq!(of(&facts), expected, "{product}");
        }
        facts.is_podman = true;
        assert_eq!(of(&facts), "podman");
        facts.is_docker = true;
        assert_eq!(of(&facts), "docker");
    }
}
