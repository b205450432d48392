// Package actuators carries out the primitives that agents choose. Each verb is a
// file (or a folder, for a family that belongs to one orchestrator) and one line
// in the map of verbs.go. It never decides whether an act is allowed: the arbiter and the
// guards do, before it is called. It may import the engine and its adapters' clients, and no
// sensor. Start reading at verbs.go.
package actuators
