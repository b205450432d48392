package local

// RouteMetrics counts the requests of one way in since it was made.
type RouteMetrics struct {
	Kind      string // Service or HTTPRoute
	Namespace string
	Name      string
	Port      int32  // as declared
	Address   string // host:port where it listens
	Requests  int64
	// Errors are the answers with a status of 500 or more, the router's own included.
	Errors   int64
	InFlight int64
}

// Metrics are the counters of every Service port and HTTPRoute, in a fixed order.
func (o *Orchestrator) Metrics() []RouteMetrics {
	var out []RouteMetrics
	for _, f := range o.router.snapshot() {
		out = append(out, RouteMetrics{
			Kind: f.id.kind, Namespace: f.id.namespace, Name: f.id.name, Port: f.id.port, Address: f.address,
			Requests: f.requests.Load(), Errors: f.errors.Load(), InFlight: f.inFlight.Load(),
		})
	}
	return out
}

// Address is where a Service (its first port) or an HTTPRoute listens, as host:port.
func (o *Orchestrator) Address(kind, namespace, name string) (string, bool) {
	o.router.mu.Lock()
	defer o.router.mu.Unlock()
	for _, id := range o.router.order {
		if id.kind == kind && id.namespace == namespace && id.name == name {
			return o.router.fronts[id].address, true
		}
	}
	return "", false
}
