// Command kapi is a Kubernetes API server and the etcd that it stores in, as one
// binary: the first argument says which of them it is to be. It is the real
// code, so that tests have the real server's opinion of an object.
package main

import (
	"fmt"
	"os"

	"go.etcd.io/etcd/server/v3/etcdmain"
	"k8s.io/component-base/cli"
	"k8s.io/kubernetes/cmd/kube-apiserver/app"
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: kapi etcd|apiserver FLAGS")
		os.Exit(2)
	}
	role := os.Args[1]
	os.Args = append(os.Args[:1], os.Args[2:]...)
	switch role {
	case "etcd":
		etcdmain.Main(os.Args)
	case "apiserver":
		os.Exit(cli.Run(app.NewAPIServerCommand()))
	default:
		fmt.Fprintf(os.Stderr, "kapi: %q is neither etcd nor apiserver\n", role)
		os.Exit(2)
	}
}
