// Package processnode is a Kubernetes node whose pods are processes of this machine: it
// registers a Node, runs the pods that the scheduler binds to it by package pod, and
// reports their statuses like a kubelet. Each pod has a loopback address of its own, so
// that containerPorts don't conflict, and several nodes can run on one machine. It serves
// the test cluster and is not part of the product.
//
// Its limits: it pulls no images (a container needs a command, in which the word
// "scanflow" runs Options.Self). It isolates nothing but cores (Options.Cores): it ignores
// security contexts and enforces no resource limits, which a container can read by a
// resourceFieldRef. It mounts nothing: a volume of kind emptyDir, configMap or secret is a
// folder, whose path is in SCANFLOW_VOLUME_<NAME>. It issues no service account tokens,
// and runs one container per pod, after the init containers. A pod that needs more stays
// Pending, and its status and an event name the field. ConfigMaps and Secrets are read
// once, when the pod starts. Services have no endpoints, because Kubernetes rejects
// loopback addresses there. It requires a system that routes all of 127.0.0.0/8 to itself,
// as Linux does.
//
// Start reading at node.go, then podrunner.go (the lifecycle of a pod); status.go converts
// the statuses of package pod into those of Kubernetes.
package processnode
