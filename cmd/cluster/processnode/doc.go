// Package processnode is a Kubernetes node whose pods are processes of this machine, for
// tests and for a developer's cluster: it registers a Node, runs what the scheduler
// binds to it through package pod, and reports as a kubelet does. Each pod has a
// loopback address of its own, so that containerPorts never clash; two such nodes
// on one machine make anti-affinity real.
//
// What it does not do: it pulls no image (a container needs a command; the word
// "scanflow" runs Options.Self), isolates nothing but by cores (Options.Cores; security
// contexts are not looked at, and no limit is enforced: a container that reads its own
// by a resourceFieldRef is told of it), mounts nothing (a volume of kind emptyDir,
// configMap or secret is a folder that SCANFLOW_VOLUME_<NAME> names), gives no service
// account token, and runs one container a pod, after its init containers. What it can't
// honour it refuses: the pod stays Pending, and its status and an event name the field.
// ConfigMaps and Secrets are read once, when the pod starts. Kubernetes itself
// refuses loopback addresses in Endpoints, so Services have none here. It needs a
// system where all of 127.0.0.0/8 is the machine's own, as on Linux.
//
// Start reading at node.go, then runner.go (the life of one pod); status.go turns
// what package pod says into what Kubernetes wants to read.
package processnode
