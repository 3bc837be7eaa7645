package mpt

// NumericsVersion is the version of what is computed: it changes when any bit of any result
// may. What is kept of results, such as saved pages, is of no use to another version.
const NumericsVersion = 1
