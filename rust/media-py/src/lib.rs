//! The Python module `rostra._media`: converts, never decides.
use pyo3::prelude::*;

/// The native module `rostra._media`.
#[pymodule(gil_used = false)]
fn _media(_module: &Bound<'_, PyModule>) -> PyResult<()> {
    Ok(())
}
