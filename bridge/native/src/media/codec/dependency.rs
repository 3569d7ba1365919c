//! The dependency descriptor, a header extension that says of each frame what it needs and who
//! needs it (appendix A of the AV1 RTP payload specification).  The payload is not looked at.
//!
//! All but keyframes refer to a structure that came with one, so reading has a memory; writing
//! has none.

mod change;
#[cfg(test)]
pub mod made;

pub use change::{frame_number, layout, rewrite, Change};

/// The longest value of a header extension (RFC 8285, 4.3), and room for a mask to be added.
pub const MAX_DESCRIPTOR: usize = 255;
const MAX_TEMPLATES: usize = 64;
pub const MAX_TARGETS: usize = 32;
/// Spatial layers that sizes are kept of.
pub const MAX_SPATIAL: usize = 4;
/// Bits of a descriptor that only says which template and frame it is of.
const MANDATORY: usize = 24;
const FLAGS: usize = 5;

/// What a frame is to a decode target.
pub const NOT_PRESENT: u8 = 0;
pub const DISCARDABLE: u8 = 1;
/// Who has not had the target yet may begin with it here.
pub const SWITCH: u8 = 2;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Template {
    spatial: u8,
    temporal: u8,
    /// Two bits for each decode target, the first lowest.
    indications: u64,
    /// Bit n: it refers to the frame n + 1 before it.
    references: u64,
}

/// A choice of layers that can be decoded by itself: (spatial, temporal).
pub type Target = (u8, u8);

/// The decode targets of a structure, and which of them are being produced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Targets {
    pub count: u8,
    pub active: u32,
    layers: [(u8, u8); MAX_TARGETS],
}

impl Targets {
    pub fn get(&self, index: u8) -> Option<Target> {
        self.layers.get(..usize::from(self.count))?.get(usize::from(index)).copied()
    }

    fn is_active(&self, index: u8) -> bool {
        self.active & 1u32.checked_shl(u32::from(index)).unwrap_or(0) != 0
    }

    /// The best active target within limits; the smallest if there is none.
    pub fn within(&self, spatial: u8, temporal: u8) -> u8 {
        let all = || (0..self.count).filter_map(|index| Some((self.get(index)?, index)));
        let active = || all().filter(|(_, index)| self.is_active(*index));
        active()
            .filter(|(layers, _)| layers.0 <= spatial && layers.1 <= temporal)
            .max()
            .or_else(|| active().min())
            .or_else(|| all().min())
            .map_or(0, |(_, index)| index)
    }

    /// The target of the same spatial layer with the fewest frames.
    pub fn slowest(&self, target: u8) -> u8 {
        let spatial = self.get(target).map(|layers| layers.0);
        let all = (0..self.count).filter_map(|index| Some((self.get(index)?, index)));
        let alike = all.filter(|(layers, index)| {
            Some(layers.0) == spatial && self.is_active(*index) == self.is_active(target)
        });
        alike.min().map_or(target, |(_, index)| index)
    }

    /// The active targets that who gets `target` can have.
    pub fn mask(&self, target: u8) -> u32 {
        let Some(most) = self.get(target) else {
            return self.active;
        };
        (0..self.count)
            .filter(|index| {
                self.is_active(*index)
                    && self
                        .get(*index)
                        .is_some_and(|layers| layers.0 <= most.0 && layers.1 <= most.1)
            })
            .fold(0, |mask, index| mask | 1 << index)
    }

    pub fn all(&self) -> u32 {
        u32::MAX.checked_shr(32 - u32::from(self.count)).unwrap_or(0)
    }
}

/// What came with a keyframe, and holds until the next comes with another.
#[derive(Clone, Debug)]
pub struct Structure {
    offset: u8,
    count: u8,
    templates: [Template; MAX_TEMPLATES],
    targets: Targets,
    heights: [u16; MAX_SPATIAL],
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Descriptor {
    /// First and last packet of the frame.
    pub starts: bool,
    pub ends: bool,
    pub keyframe: bool,
    pub frame: u16,
    pub spatial: u8,
    pub temporal: u8,
    pub targets: Targets,
    indications: u64,
    /// Bit n: it refers to the frame n + 1 before it.
    pub references: u64,
    /// It refers to a frame further back than that.
    pub refers_far: bool,
    /// The ids of the templates now in force, as the sender numbers them.
    pub first_template: u8,
    pub template_count: u8,
    /// The largest spatial layer.
    pub top: u8,
    /// Smaller sides by spatial layer, 0 unknown.
    pub heights: [u16; MAX_SPATIAL],
    pub layout: Layout,
}

/// What has to be known of a descriptor's bits to change it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Layout {
    /// A structure is attached.
    pub structure: bool,
    /// It says which targets are active.
    pub says_active: bool,
    /// The bit after the flags and the structure.
    structure_end: u16,
}

impl Descriptor {
    /// What the frame is to a decode target.
    pub fn indication(&self, target: u8) -> u8 {
        (self.indications.checked_shr(2 * u32::from(target)).unwrap_or(0) & 3) as u8
    }
}

#[derive(Clone)]
struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn read(&mut self, count: usize) -> Option<u32> {
        let mut value = 0;
        for at in self.at..self.at + count {
            let byte = self.bytes.get(at / 8)?;
            value = value << 1 | u32::from(byte >> (7 - at % 8) & 1);
        }
        self.at += count;
        Some(value)
    }

    fn flag(&mut self) -> Option<bool> {
        Some(self.read(1)? == 1)
    }

    /// A value below `range` (A.8.2, ns).
    fn below(&mut self, range: u32) -> Option<u32> {
        let width = u32::BITS - range.leading_zeros();
        let short = (1u32 << width) - range;
        let value = self.read(width as usize - 1)?;
        if value < short {
            return Some(value);
        }
        Some((value << 1 | self.read(1)?) - short)
    }
}

/// Read a descriptor.  Where it has a structure and `is_news`, that replaces what is in
/// `memory`.  None if it cannot be read, or belongs to a structure that is not known.
pub fn read(
    bytes: &[u8],
    memory: &mut Option<Box<Structure>>,
    is_news: bool,
) -> Option<Descriptor> {
    let mut bits = Bits { bytes, at: 0 };
    let mut descriptor =
        Descriptor { starts: bits.flag()?, ends: bits.flag()?, ..Descriptor::default() };
    let template = bits.read(6)? as u8;
    descriptor.frame = bits.read(16)? as u16;
    let extended = bytes.len() > MANDATORY / 8;
    let mut flags = [false; FLAGS];
    if extended {
        for flag in &mut flags {
            *flag = bits.flag()?;
        }
    }
    let [attached, says_active, own_indications, own_references, _] = flags;
    descriptor.layout.says_active = says_active;
    let mut fresh = None;
    if attached {
        fresh = Some(read_structure(&mut bits)?);
        descriptor.layout.structure = true;
    }
    descriptor.layout.structure_end = bits.at as u16;
    if let (Some(fresh), true) = (&fresh, is_news) {
        match memory {
            Some(known) => known.as_mut().clone_from(fresh),
            None => *memory = Some(Box::new(fresh.clone())),
        }
    }
    let known = match (&fresh, memory.as_deref()) {
        (Some(fresh), _) => fresh,
        (None, known) => known?,
    };
    descriptor.targets = known.targets;
    if says_active {
        descriptor.targets.active = bits.read(usize::from(known.targets.count))?;
    }
    let index = usize::from(template.wrapping_sub(known.offset) & 63);
    let template = *known.templates.get(..usize::from(known.count))?.get(index)?;
    descriptor.spatial = template.spatial;
    descriptor.temporal = template.temporal;
    descriptor.indications = template.indications;
    descriptor.references = template.references;
    descriptor.first_template = known.offset;
    descriptor.template_count = known.count;
    descriptor.heights = known.heights;
    if own_indications {
        descriptor.indications = read_indications(&mut bits, known.targets.count)?;
    }
    if own_references {
        descriptor.references = 0;
        loop {
            let size = bits.read(2)? as usize;
            if size == 0 {
                break;
            }
            match 1u64.checked_shl(bits.read(4 * size)?) {
                Some(bit) => descriptor.references |= bit,
                None => descriptor.refers_far = true,
            }
        }
    }
    descriptor.keyframe = attached
        && descriptor.starts
        && descriptor.references == 0
        && !descriptor.refers_far
        && descriptor.spatial == 0;
    let active = descriptor.targets.within(u8::MAX, u8::MAX);
    descriptor.top = descriptor.targets.get(active).map_or(0, |(spatial, _)| spatial);
    if let (true, true, Some(known)) = (says_active, is_news, memory) {
        known.targets.active = descriptor.targets.active;
    }
    Some(descriptor)
}

fn read_indications(bits: &mut Bits<'_>, targets: u8) -> Option<u64> {
    let mut indications = 0;
    for target in 0..targets {
        indications |= u64::from(bits.read(2)?) << (2 * target);
    }
    Some(indications)
}

fn read_structure(bits: &mut Bits<'_>) -> Option<Structure> {
    let offset = bits.read(6)? as u8;
    let targets = bits.read(5)? as u8 + 1;
    let mut structure = Structure {
        offset,
        count: 0,
        templates: [Template::default(); MAX_TEMPLATES],
        targets: Targets { count: targets, ..Targets::default() },
        heights: [0; MAX_SPATIAL],
    };
    structure.targets.active = structure.targets.all();
    let (mut spatial, mut temporal) = (0u8, 0u8);
    loop {
        let template = structure.templates.get_mut(usize::from(structure.count))?;
        *template = Template { spatial, temporal, ..Template::default() };
        structure.count += 1;
        match bits.read(2)? {
            0 => {}
            1 => temporal = temporal.checked_add(1)?,
            2 => (spatial, temporal) = (spatial.checked_add(1)?, 0),
            _ => break,
        }
    }
    let count = usize::from(structure.count);
    let templates = structure.templates.get_mut(..count)?;
    for template in &mut *templates {
        template.indications = read_indications(bits, targets)?;
    }
    for template in &mut *templates {
        while bits.flag()? {
            template.references |= 1 << bits.read(4)?;
        }
    }
    let chains = bits.below(u32::from(targets) + 1)?;
    if chains > 0 {
        for _ in 0..targets {
            bits.below(chains)?;
        }
        for _ in 0..count * chains as usize {
            bits.read(4)?;
        }
    }
    for (target, layers) in (0u8..targets).zip(&mut structure.targets.layers) {
        for template in &*templates {
            if template.indications >> (2 * target) & 3 != u64::from(NOT_PRESENT) {
                layers.0 = layers.0.max(template.spatial);
                layers.1 = layers.1.max(template.temporal);
            }
        }
    }
    if bits.flag()? {
        for layer in 0..=usize::from(spatial) {
            let (width, height) = (bits.read(16)?, bits.read(16)?);
            if let Some(place) = structure.heights.get_mut(layer) {
                *place = (width.min(height) + 1).min(u32::from(u16::MAX)) as u16;
            }
        }
    }
    Some(structure)
}
