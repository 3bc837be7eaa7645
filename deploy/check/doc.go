// Package check holds the tests of the manifests for Kubernetes: they are read strictly into
// the types of its API, without a cluster. It is a module of its own, for the libraries of
// the tests alone.
package check
