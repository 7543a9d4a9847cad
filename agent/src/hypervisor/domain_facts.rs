//! What libvirt's XML says that a domain is made of, whoever defined it.

use csp_shared::{audit::DiskBounds, mac::Mac};
use quick_xml::{
    Reader, XmlVersion,
    events::{BytesStart, BytesText, Event},
};

use super::domain_xml::DISK_TARGET;

/// What a domain is made of. What its XML does not say, or not readably, is left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DomainFacts {
    /// Its adapters.
    pub macs: Vec<Mac>,
    /// What its disks lie in: files, devices and the like, as libvirt names them. Not what those are overlays on.
    pub disks: Vec<String>,
    /// What of them is the disk that csp gives a guest, if the domain still has it.
    pub boots_from: Option<String>,
    /// Adapters whose cable is pulled.
    pub links_down: Vec<Mac>,
    /// What that disk is held to.
    pub disk_bounds: DiskBounds,
}

/// What was read of a disk so far.
#[derive(Default)]
struct Disk {
    source: Option<String>,
    is_own: bool,
}

/// Attributes that name what a disk lies in.
const SOURCES: [&str; 5] = ["file", "dev", "dir", "volume", "name"];

impl DomainFacts {
    /// Reads a domain's XML as libvirt gives it.
    #[must_use]
    pub fn read(xml: &str) -> Self {
        let (mut reader, mut facts, mut path) = (Reader::from_str(xml), Self::default(), Vec::new());
        let mut disk = Disk::default();
        loop {
            match reader.read_event() {
                Ok(Event::Start(element)) => {
                    path.push(element.name().as_ref().to_owned());
                    facts.take(&path, &element, &mut disk);
                }
                Ok(Event::Empty(element)) => {
                    path.push(element.name().as_ref().to_owned());
                    facts.take(&path, &element, &mut disk);
                    path.pop();
                }
                Ok(Event::Text(text)) if disk.is_own => facts.take_text(&path, &text),
                Ok(Event::End(_)) => drop(path.pop()),
                Ok(Event::Eof) | Err(_) => return facts,
                Ok(_) => {}
            }
        }
    }

    fn take(&mut self, path: &[String], element: &BytesStart<'_>, disk: &mut Disk) {
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        match path.as_slice() {
            ["domain", "devices", "interface", "mac"] => {
                self.macs.extend(attribute(element, "address").and_then(|text| text.parse::<Mac>().ok()));
            }
            ["domain", "devices", "interface", "link"] => {
                // It stands behind its adapter's MAC.
                let is_down = attribute(element, "state").as_deref() == Some("down");
                self.links_down.extend(self.macs.last().copied().filter(|_| is_down));
            }
            ["domain", "devices", "disk"] => *disk = Disk::default(),
            ["domain", "devices", "disk", "source"] => {
                disk.source = SOURCES.into_iter().find_map(|name| attribute(element, name));
                self.disks.extend(disk.source.clone());
            }
            ["domain", "devices", "disk", "target"] => {
                disk.is_own = attribute(element, "dev").as_deref() == Some(DISK_TARGET);
            }
            _ => return,
        }
        if disk.is_own {
            self.boots_from.clone_from(&disk.source);
        }
    }

    fn take_text(&mut self, path: &[String], text: &BytesText<'_>) {
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        let number = || text.trim().parse::<u64>().ok().filter(|number| *number > 0);
        match path.as_slice() {
            ["domain", "devices", "disk", "iotune", "total_bytes_sec"] => {
                self.disk_bounds.bytes_per_second_max = number();
            }
            ["domain", "devices", "disk", "iotune", "total_iops_sec"] => self.disk_bounds.iops_max = number(),
            _ => {}
        }
    }
}

fn attribute(element: &BytesStart<'_>, name: &str) -> Option<String> {
    let found = element.attributes().flatten().find(|attribute| attribute.key.as_ref() == name)?;
    Some(found.normalized_value(XmlVersion::Implicit1_0).ok()?.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_domain_is_made_of_is_read_and_what_its_disks_are_overlays_on_is_not() {
        let xml = r"<domain type='kvm' id='3'>
            <devices>
              <disk type='file' device='disk'>
                <source file='/pool/disks/a&amp;b.1.qcow2' index='2'/>
                <backingStore type='file'><format type='raw'/><source file='/pool/images/base.raw'/></backingStore>
                <target dev='vda' bus='virtio'/>
                <iotune>
                  <total_bytes_sec>209715200</total_bytes_sec>
                  <total_iops_sec>0</total_iops_sec>
                </iotune>
              </disk>
              <disk type='block' device='disk'>
                <source dev='/dev/sdz'/><target dev='vdb'/><iotune><total_iops_sec>7</total_iops_sec></iotune>
              </disk>
              <disk type='file' device='cdrom'><target dev='sda'/></disk>
              <interface type='ethernet'><mac address='52:54:00:01:02:03'/><link state='up'/></interface>
              <interface type='ethernet'><mac address='52:54:00:01:02:04'/><link state='down'/></interface>
            </devices></domain>";
        let facts = DomainFacts::read(xml);
        assert_eq!(facts.disks, ["/pool/disks/a&b.1.qcow2", "/dev/sdz"]);
        assert_eq!(facts.boots_from.as_deref(), Some("/pool/disks/a&b.1.qcow2"));
        let mac = |text: &str| text.parse::<Mac>().unwrap();
        assert_eq!(facts.macs, [mac("52:54:00:01:02:03"), mac("52:54:00:01:02:04")]);
        assert_eq!(facts.links_down, [mac("52:54:00:01:02:04")]);
        let bounds = DiskBounds { iops_max: None, bytes_per_second_max: Some(200 << 20) };
        assert_eq!(facts.disk_bounds, bounds, "of its own disk alone, and 0 is no bound");
        assert_eq!(DomainFacts::read("domain <<<"), DomainFacts::default(), "what is no XML says nothing");
    }
}
