package verbparams

import (
	"fmt"
	"strings"
)

// anyKind stands for every kind of a group.
const anyKind = "*"

// protected lists the kinds that no policy may write, by group and kind in lower case, with
// the reason: they grant permissions, hold credentials, run what they name with the rights of
// their controller, or bind the cluster, its nodes, its network and Scanflow itself. The
// primitives `apply` and `annotate` refuse them, whatever rights the process has, and
// `scanflow rbac --apply` grants none.
//
// Ingress, HorizontalPodAutoscaler, PersistentVolumeClaim, Service and the workloads are not
// among them: they are a team's own, and the process needs a right to write them.
var protected = map[string]map[string]string{
	"": {
		"binding":        "puts a pod on a node past the scheduler",
		"endpoints":      "sends requests past the network's policies",
		"event":          "is the record of what happened",
		"limitrange":     "bounds what a namespace may use",
		"list":           "has several objects, to be proposed one by one",
		"namespace":      "is shared by everything in it",
		"node":           "is shared by everything that runs on it",
		"resourcequota":  "bounds what a namespace may use",
		"secret":         "holds credentials",
		"serviceaccount": "is an account",
	},
	"coordination.k8s.io": {anyKind: "decides who leads"},
	"discovery.k8s.io":    {"endpointslice": "sends requests past the network's policies"},
	"events.k8s.io":       {anyKind: "is the record of what happened"},
	"networking.k8s.io": {
		"networkpolicy": "bounds the traffic of pods", "ingressclass": "is shared by the cluster",
		"ipaddress": "is shared by the cluster", "servicecidr": "is shared by the cluster",
	},
	"policy":                          {anyKind: "bounds how many pods may be evicted"},
	"policy.networking.k8s.io":        {anyKind: "bounds the traffic of pods"},
	"scheduling.k8s.io":               {anyKind: "decides whose pods give way"},
	"storage.k8s.io":                  {anyKind: "is shared by the cluster"},
	"node.k8s.io":                     {anyKind: "is shared by the cluster"},
	"resource.k8s.io":                 {"deviceclass": "is shared by the cluster", "resourceslice": "says which devices a node has"},
	"gateway.networking.k8s.io":       {"referencegrant": "opens a namespace to others", "gatewayclass": "is shared by the cluster"},
	"admissionregistration.k8s.io":    {anyKind: "decides what the API server admits"},
	"apiextensions.k8s.io":            {anyKind: "defines kinds of the API"},
	"apiregistration.k8s.io":          {anyKind: "defines kinds of the API"},
	"authentication.k8s.io":           {anyKind: "grants an identity"},
	"authorization.k8s.io":            {anyKind: "is about permissions"},
	"certificates.k8s.io":             {anyKind: "grants an identity"},
	"flowcontrol.apiserver.k8s.io":    {anyKind: "decides whose requests the API server serves"},
	"internal.apiserver.k8s.io":       {anyKind: "is the API server's own"},
	"rbac.authorization.k8s.io":       {anyKind: "grants permissions"},
	"storagemigration.k8s.io":         {anyKind: "rewrites what the API server stores"},
	"scanflow.dev":                    {anyKind: "is Scanflow's own"},
	"cert-manager.io":                 {anyKind: "grants an identity"},
	"acme.cert-manager.io":            {anyKind: "grants an identity"},
	"external-secrets.io":             {anyKind: "fetches credentials"},
	"generators.external-secrets.io":  {anyKind: "makes credentials"},
	"secrets-store.csi.x-k8s.io":      {anyKind: "fetches credentials"},
	"bitnami.com":                     {"sealedsecret": "holds credentials"},
	"security.istio.io":               {anyKind: "bounds the traffic of pods"},
	"cilium.io":                       {anyKind: "bounds the traffic of pods"},
	"crd.projectcalico.org":           {anyKind: "bounds the traffic of pods"},
	"projectcalico.org":               {anyKind: "bounds the traffic of pods"},
	"crd.antrea.io":                   {anyKind: "bounds the traffic of pods"},
	"kyverno.io":                      {anyKind: "decides what the API server admits"},
	"policies.kyverno.io":             {anyKind: "decides what the API server admits"},
	"config.gatekeeper.sh":            {anyKind: "decides what the API server admits"},
	"constraints.gatekeeper.sh":       {anyKind: "decides what the API server admits"},
	"mutations.gatekeeper.sh":         {anyKind: "decides what the API server admits"},
	"templates.gatekeeper.sh":         {anyKind: "decides what the API server admits"},
	"argoproj.io":                     {"application": "installs what it names", "applicationset": "installs what it names", "appproject": "bounds what may be installed"},
	"helm.toolkit.fluxcd.io":          {anyKind: "installs what it names"},
	"kustomize.toolkit.fluxcd.io":     {anyKind: "installs what it names"},
	"source.toolkit.fluxcd.io":        {anyKind: "decides what is installed"},
	"helm.cattle.io":                  {anyKind: "installs what it names"},
	"operators.coreos.com":            {anyKind: "installs what it names"},
	"pkg.crossplane.io":               {anyKind: "installs what it names"},
	"cluster.x-k8s.io":                {anyKind: "makes and deletes nodes"},
	"infrastructure.cluster.x-k8s.io": {anyKind: "makes and deletes nodes"},
	"karpenter.sh":                    {anyKind: "makes and deletes nodes"},
	"kueue.x-k8s.io":                  {"clusterqueue": "bounds what namespaces may use", "cohort": "bounds what namespaces may use", "localqueue": "bounds what a namespace may use", "resourceflavor": "is shared by the cluster"},
	"scheduling.volcano.sh":           {"queue": "bounds what namespaces may use"},
	"scheduling.sigs.k8s.io":          {anyKind: "bounds what namespaces may use"},
}

// Protected reports why no policy may write a kind: "" where it may. The group is that of an
// apiVersion; upper case does not matter, and a List counts as what it lists.
func Protected(apiVersion, kind string) (reason string) {
	group := ""
	if before, _, grouped := strings.Cut(strings.ToLower(strings.TrimSpace(apiVersion)), "/"); grouped {
		group = before
	}
	kind = strings.ToLower(strings.TrimSpace(kind))
	kinds := protected[group]
	for _, name := range []string{kind, strings.TrimSuffix(kind, "list"), anyKind} {
		if reason := kinds[name]; reason != "" {
			return reason
		}
	}
	return ""
}

// ProtectedResource is Protected for the resource of an RBAC rule, such as "networkpolicies"
// of networking.k8s.io.
func ProtectedResource(group, resource string) (reason string) {
	resource, _, _ = strings.Cut(strings.ToLower(resource), "/")
	kinds := protected[strings.ToLower(group)]
	if reason := kinds[anyKind]; reason != "" {
		return reason
	}
	for kind, reason := range kinds {
		if resource == pluralOf(kind) {
			return reason
		}
	}
	return ""
}

// pluralOf returns the resource of a kind in lower case. Those that protected lists have a
// regular plural.
func pluralOf(kind string) string {
	switch {
	case strings.HasSuffix(kind, "endpoints"):
		return kind
	case strings.HasSuffix(kind, "s"):
		return kind + "es"
	case strings.HasSuffix(kind, "y"):
		return strings.TrimSuffix(kind, "y") + "ies"
	}
	return kind + "s"
}

// protectedFix tells the reader what to do instead of writing a protected kind.
const protectedFix = "let a person write it"

// ProtectedMessage is the message about a kind that is protected for a reason.
func ProtectedMessage(apiVersion, kind, reason string) string {
	return fmt.Sprintf("%s of %s %s, so no policy may write it", kind, apiVersion, reason)
}
