//! Values under the caller's ids, reached by index on the packet path.

use std::collections::HashMap;

#[derive(Debug)]
pub struct Table<T> {
    indices: HashMap<u32, usize>,
    values: Vec<Option<T>>,
    free: Vec<usize>,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Table { indices: HashMap::new(), values: Vec::new(), free: Vec::new() }
    }
}

impl<T> Table<T> {
    /// The index of an id.  It stays the value's until removal, then another's.
    pub fn index(&self, id: u32) -> Option<usize> {
        self.indices.get(&id).copied()
    }

    pub fn get(&self, index: usize) -> Option<&T> {
        self.values.get(index)?.as_ref()
    }

    pub fn get_mut(&mut self, index: usize) -> Option<&mut T> {
        self.values.get_mut(index)?.as_mut()
    }

    /// Add a value; an id in use keeps its old value.
    pub fn insert(&mut self, id: u32, value: T) -> usize {
        if let Some(index) = self.index(id) {
            return index;
        }
        let index = self.free.pop().unwrap_or_else(|| {
            self.values.push(None);
            self.values.len() - 1
        });
        self.values[index] = Some(value);
        self.indices.insert(id, index);
        index
    }

    pub fn remove(&mut self, id: u32) -> Option<(usize, T)> {
        let index = self.indices.remove(&id)?;
        let value = self.values.get_mut(index)?.take()?;
        self.free.push(index);
        Some((index, value))
    }

    /// One more than the highest index in use or free.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.values.iter_mut().flatten()
    }
}
