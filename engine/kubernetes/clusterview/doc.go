// Package clusterview keeps the state of the cluster's objects in memory, for fleets,
// sensors, triggers and the plans of actuators.
//
// A View runs one informer per kind and namespace, shared by all agents of the process.
// An informer keeps a few hundred bytes of each object. Reading a View sends no request,
// so no target is polled. Built-in kinds are decoded from protobuf, custom kinds from JSON;
// what is kept of both is read by the same paths.
//
// The package never writes to the cluster, never reads outside the namespace that it was
// given, and returns an error instead of state that is older than Options.MaxStaleness.
// It imports the engine, apiclient and fieldpath.
//
// Start reading at view.go and fleet.go. informer.go follows the API server, source.go
// decodes its answers, object.go and pods.go define what is kept, watch.go turns changes
// into triggers.
package clusterview
