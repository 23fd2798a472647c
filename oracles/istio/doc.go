// Package istio judges the Istio target with Istio's own code.
package istio
