//! Native state behind the core's contract.
