// Package kubernetes asks a real kube-apiserver, with a real etcd behind it,
// whether it takes what we render.
package kubernetes
