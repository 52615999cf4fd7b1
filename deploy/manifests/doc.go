// Package manifests has the tests of deploy/kubernetes, deploy/helm and deploy/compose: it
// renders them with the libraries of kustomize, Helm and Compose. It is a separate module, so
// that these libraries are none of wxgate's.
package manifests
