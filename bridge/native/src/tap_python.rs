//! The Python face of a tap.  Conversions only.

use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::tap::Records;

#[pyclass(name = "Tap", module = "xmppconf_bridge._native", frozen)]
pub struct PyTap(Arc<Records>);

impl PyTap {
    pub fn new(records: Arc<Records>) -> Self {
        Self(records)
    }
}

#[pymethods]
impl PyTap {
    fn take<'py>(&self, py: Python<'py>) -> (Bound<'py, PyBytes>, bool) {
        self.0.take(|octets, is_over| (PyBytes::new(py, octets), is_over))
    }

    fn close(&self) {
        self.0.end();
    }
}

impl Drop for PyTap {
    fn drop(&mut self) {
        self.0.end();
    }
}
