package helm_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"
)

// contradictions are values of which each is right and all together are not, with the
// sentence that refuses them.
var contradictions = []struct{ name, values, want string }{
	{"replicas of shards", "{replicas: 3, shards: 2}", "replicas: 3 and shards: 2: each shard has one pod; leave replicas empty, or set shards to 1"},
	{"what no shard is divided by", "{shardBy: name}", "shardBy: name: with shards: 1 nothing is divided; set shards above 1"},
	{"a lease of days", "{leaseDuration: 25h}", "leaseDuration: 25h: a leader that is lost would be replaced after more than a day; the most is 24h"},
	{"the strategy of a Deployment", "{shards: 2, updateStrategy: {type: Recreate}}", "updateStrategy.type: Recreate is of a Deployment"},
	{"the strategy of a StatefulSet", "{updateStrategy: {type: OnDelete}}", "updateStrategy.type: OnDelete is of a StatefulSet"},
	{"a rollout without rolling", "{updateStrategy: {type: Recreate, rollingUpdate: {maxUnavailable: 1}}}", "updateStrategy.rollingUpdate: has no effect with updateStrategy.type: Recreate"},
	{"a surge of shards", "{shards: 2, updateStrategy: {rollingUpdate: {maxSurge: 1}}}", "updateStrategy.rollingUpdate.maxSurge: is of a Deployment"},
	{"a partition of replicas", "{updateStrategy: {rollingUpdate: {partition: 1}}}", "updateStrategy.rollingUpdate.partition: is of a StatefulSet"},
	{"more memory than the limit", "{resources: {requests: {memory: 2Gi}}}", "resources.requests.memory: 2Gi is more than resources.limits.memory: 1Gi; raise the limit"},
	{"a label of the selector", "{commonLabels: {app.kubernetes.io/name: x}}", "commonLabels: the chart itself sets app.kubernetes.io/name"},
	{"a pod's label of the selector", "{podLabels: {app.kubernetes.io/instance: x}}", "podLabels: the chart itself sets app.kubernetes.io/instance"},
	{"an argument of a value", "{extraArgs: [--namespace=x]}", "extraArgs: --namespace is set by watchNamespace; leave it out here"},
	{"an argument of the chart", "{extraArgs: [--data=/x]}", "extraArgs: --data is set by the chart"},
	{"a variable of the chart", "{env: [{name: SCANFLOW_WORKLOAD, value: x}]}", "env: SCANFLOW_WORKLOAD is set by the chart"},
	{"a volume of the chart", "{extraVolumes: [{name: tmp, emptyDir: {}}]}", "extraVolumes: the name tmp is taken"},
	{"a volume twice", "{extraVolumes: [{name: a, emptyDir: {}}, {name: a, emptyDir: {}}]}", "extraVolumes: the name a is taken"},
	{"a mount of no volume", "{extraVolumeMounts: [{name: a, mountPath: /a}]}", "extraVolumeMounts: there is no volume a; add it to extraVolumes"},
	{"a mount over the chart's", "{extraVolumes: [{name: a, emptyDir: {}}], extraVolumeMounts: [{name: a, mountPath: /data/}]}", "extraVolumeMounts: the process has its own files at /data/"},
	{"a sidecar of the same name", "{extraContainers: [{name: scanflow, image: x}]}", "extraContainers: the name scanflow is that of the process"},

	{"two sources of policies", "{policies: {configMap: a, files: {a.rego: package a}}}", "policies.configMap and policies.files: the policies come from one place; give at most one of them"},
	{"three sources of policies", "{policies: {configMap: a, files: {a.rego: package a}, bundle: {url: 'https://b'}}}", "policies.configMap and policies.files and policies.bundle.url: the policies come from one place"},
	{"no guard at all", "{policies: {withoutShippedGuards: true}}", "policies.withoutShippedGuards: without policies.configMap, policies.files or policies.bundle.url no guard would bind"},
	{"a key for what ships", "{policies: {key: {secretName: signer}}}", "policies.key.secretName: the policies that ship are part of the image and not signed"},
	{"the scope of no key", "{policies: {configMap: site, key: {scope: site}}}", "policies.key.algorithm and policies.key.scope: without policies.key.secretName no signature is looked at"},
	{"the algorithm of no key", "{policies: {configMap: site, key: {algorithm: PS256}}}", "policies.key.algorithm and policies.key.scope: without policies.key.secretName no signature is looked at"},
	{"the token of no bundle", "{policies: {bundle: {token: {secretName: bundles}}}}", "policies.bundle.token.secretName: no bundle is fetched without policies.bundle.url"},
	{"the interval of no bundle", "{policies: {bundle: {interval: 1m}}}", "policies.bundle.interval: no bundle is fetched without policies.bundle.url"},
	{"a key of no Secret", "{policies: {key: {key: a}}}", "policies.key.key: a is a key of the Secret policies.key.secretName, which is empty; name the Secret"},
	{"a key of no bundle's Secret", "{policies: {bundle: {url: 'https://b', token: {key: a}}}}", "policies.bundle.token.key: a is a key of the Secret policies.bundle.token.secretName, which is empty"},

	{"senders from two places", "{senders: {secretName: senders, list: [{name: east, bearerToken: {secretName: words}}]}}", "senders.secretName and senders.list: the senders come from one place; give one of them"},
	{"a sender twice", "{senders: {list: [{name: east, bearerToken: {secretName: a}}, {name: east, bearerToken: {secretName: b}}]}}", "senders.list: east is there twice; rename one"},
	{"a certificate that nobody asks for", "{tls: {secretName: c}, senders: {list: [{name: edge, clientCertificate: {dnsName: edge}}]}}", "senders.list: the certificate of edge is never asked for without tls.clientCA.secretName"},
	{"a peer that answers", "{senders: {list: [{name: east, peer: true, rights: [send, answer], bearerToken: {secretName: w}}]}}", "senders.list: east is a peer, which sends the events of its agents and answers nothing"},
	{"a peer that does not send", "{senders: {list: [{name: east, peer: true, rights: [read], bearerToken: {secretName: w}}]}}", "senders.list: east is a peer"},
	{"certificates without TLS", "{tls: {clientCA: {secretName: authorities}}}", "tls.clientCA.secretName: certificates are asked for over TLS alone, and tls.secretName is empty"},
	{"a token for no peer", "{peers: {token: {secretName: words}}}", "peers.token.secretName: is for peers, and peers.urls has none"},
	{"an authority for no peer", "{peers: {ca: {secretName: authorities}}}", "peers.ca.secretName: is for peers, and peers.urls has none"},
	{"an authority for plain HTTP", "{peers: {urls: ['http://a:8282'], ca: {secretName: authorities}}}", "peers.ca.secretName: is for peers with https, and all of peers.urls are http"},
	{"a test over TLS", "{test: {ca: {secretName: a}}}", "test.ca: the test asks over http, as tls.secretName is empty"},
	{"a key of no token", "{token: {key: a}}", "token.key: a is a key of the Secret token.secretName, which is empty"},
	{"a key of no senders", "{senders: {key: a}}", "senders.key: a is a key of the Secret senders.secretName, which is empty"},

	{"every namespace without rights", "{watchNamespace: ''}", "watchNamespace: every namespace is watched, and rbac.clusterRules is empty, so that nothing may be read"},
	{"roles that are not made", "{rbac: {create: false, roles: [{namespace: system, rules: [{apiGroups: [''], resources: [pods], verbs: [list]}]}]}}", "rbac.roles: no role is made with rbac.create: false"},
	{"a ClusterRole that is not made", "{rbac: {create: false, clusterRules: [{apiGroups: [''], resources: [nodes], verbs: [list]}]}}", "rbac.clusterRules: no role is made with rbac.create: false"},
	{"a role elsewhere", "{rbac: {roles: [{namespace: digits, rules: [{apiGroups: [''], resources: [pods], verbs: [list]}]}]}}", "rbac.roles[0]: is for the namespace digits, and only system is watched; set watchNamespace: digits"},
	{"a role twice", "{rbac: {roles: [{namespace: system, rules: &r [{apiGroups: [''], resources: [pods], verbs: [list]}]}, {namespace: system, rules: *r}]}}", "rbac.roles[1]: the namespace system is there twice"},
	{"an agent elsewhere", "{agents: {list: [{name: a, namespace: digits, spec: {}}]}}", "agents.list: a is in the namespace digits, and only system is watched"},
	{"an account without a name", "{serviceAccount: {create: false}}", "serviceAccount.name: is empty, and none is made with serviceAccount.create: false; name the one to use"},
	{"annotations of no account", "{serviceAccount: {create: false, name: a, annotations: {a: b}}}", "serviceAccount.annotations: no service account is made"},

	{"senders of no policy", "{networkPolicy: {enabled: false, senders: [{podSelector: {}}]}}", "networkPolicy.senders: has no effect with networkPolicy.enabled: false"},
	{"egress of no policy", "{networkPolicy: {enabled: false, extraEgress: [{}]}}", "networkPolicy.extraEgress: has no effect with networkPolicy.enabled: false"},
	{"networks of no policy", "{networkPolicy: {enabled: false, apiServer: {cidrs: [10.0.0.1/32]}}}", "networkPolicy.apiServer: has no effect with networkPolicy.enabled: false"},
	{"Prometheus out of reach", "{prometheus: {url: 'http://prometheus.obs.svc.cluster.local:9090'}}", "prometheus.url: http://prometheus.obs.svc.cluster.local:9090 is in the namespace obs, and the NetworkPolicy lets requests out to monitoring alone; set networkPolicy.prometheus.namespace to {kubernetes.io/metadata.name: obs}"},
	{"MLflow out of reach", "{mlflow: {url: 'http://tracker.ml.svc:5000'}}", "mlflow.url: http://tracker.ml.svc:5000 is in the namespace ml, and the NetworkPolicy lets requests out to mlflow alone"},

	{"the name of no certificate", "{serviceMonitor: {enabled: true, serverName: a}}", "serviceMonitor.serverName: is for https, and without tls.secretName the metrics are served over http"},
	{"the authority of no certificate", "{serviceMonitor: {enabled: true, ca: {secretName: a}}}", "serviceMonitor.ca.secretName: is for https"},
	{"labels of no monitor", "{serviceMonitor: {labels: {a: b}}}", "serviceMonitor.labels: has no effect with serviceMonitor.enabled: false"},
	{"labels of no alerts", "{prometheusRule: {labels: {a: b}}}", "prometheusRule.labels: has no effect with prometheusRule.enabled: false"},
	{"rules of no alerts", "{prometheusRule: {extraRules: [{alert: A, expr: '1'}]}}", "prometheusRule.extraRules: has no effect with prometheusRule.enabled: false"},
	{"an alert that is not there", "{prometheusRule: {enabled: true, disabled: [ScanflowNotHere]}}", "prometheusRule.disabled: there is no alert ScanflowNotHere; there are ScanflowNoDecision, "},
	{"the port of no policy", "{networkPolicy: {enabled: false, prometheus: {port: 80}}}", "networkPolicy.prometheus: has no effect with networkPolicy.enabled: false"},
	{"the interval of no monitor", "{serviceMonitor: {interval: 30s}}", "serviceMonitor.interval: has no effect with serviceMonitor.enabled: false"},
	{"the precedence of no schema", "{flowSchema: {matchingPrecedence: 5}}", "flowSchema.matchingPrecedence: has no effect with flowSchema.enabled: false"},
	{"the share of no schema", "{flowSchema: {nominalConcurrencyShares: 5}}", "flowSchema.nominalConcurrencyShares: has no effect with flowSchema.enabled: false"},
	{"a budget that is not made", "{podDisruptionBudget: {enabled: false, maxUnavailable: 2}}", "podDisruptionBudget.maxUnavailable: has no effect with podDisruptionBudget.enabled: false"},
	{"the key of no test", "{test: {ca: {key: a.pem}}}", "test.ca: the test asks over http"},
	{"a priority of no schema", "{flowSchema: {priorityLevel: a}}", "flowSchema.priorityLevel: has no effect with flowSchema.enabled: false"},
	{"shares of another's level", "{flowSchema: {enabled: true, priorityLevel: a, nominalConcurrencyShares: 20}}", "flowSchema.nominalConcurrencyShares: is of the chart's own priority level, and flowSchema.priorityLevel names another"},
	{"definitions that are not kept", "{crds: {install: false, keep: false}}", "crds.keep: false has no effect with crds.install: false"},
}

// Values that contradict each other are refused by a sentence that names them and the fix.
func TestContradictions(t *testing.T) {
	for _, c := range contradictions {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "values.yaml")
			require.NoError(t, os.WriteFile(file, []byte(c.values), 0o600))
			_, said, err := helm(t, "template", "test", "scanflow", "--namespace", "system", "-f", file)
			require.Error(t, err)
			_, problems, found := strings.Cut(said, "these values can't be used:\n- ")
			require.True(t, found, said)
			require.Contains(t, problems, c.want)
			require.NotContains(t, problems, "\n- ", "and nothing else is")
		})
	}
}

// All contradictions are named at once.
func TestEveryContradictionIsNamed(t *testing.T) {
	_, said, err := helm(t, "template", "test", "scanflow", "--set", "replicas=2,shards=3,prometheusRule.labels.a=b,rbac.create=false,watchNamespace=,policies.withoutShippedGuards=true")
	require.Error(t, err)
	for _, want := range []string{"- replicas: 2 and shards: 3", "- prometheusRule.labels", "- policies.withoutShippedGuards"} {
		require.Contains(t, said, want)
	}
}

// A mapping that is gone is refused by its name, and no template stumbles over it.
func TestNull(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join("scanflow", "values.yaml"))
	require.NoError(t, err)
	var all map[string]any
	require.NoError(t, yaml.Unmarshal(raw, &all))
	for key := range all {
		t.Run(key, func(t *testing.T) {
			t.Parallel()
			_, said, err := helm(t, "template", "test", "scanflow", "--set", key+"=null")
			if err != nil {
				require.Contains(t, said, key+": no value. If --reuse-values was given")
			}
		})
	}
}

// What the cluster does not serve is refused where a cluster is asked, and rendered where none is.
func TestWhatTheClusterDoesNotServe(t *testing.T) {
	served := []string{"--api-versions", "apiregistration.k8s.io/v1"}
	for _, c := range []struct {
		name, set, kind, want string
		args                  []string
	}{
		{"monitors", "serviceMonitor.enabled=true", "monitoring.coreos.com/v1/ServiceMonitor", "serviceMonitor.enabled: the cluster has no kind ServiceMonitor (monitoring.coreos.com/v1); install the definitions of the Prometheus operator first, or set serviceMonitor.enabled=false", served},
		{"alerts", "prometheusRule.enabled=true", "monitoring.coreos.com/v1/PrometheusRule", "prometheusRule.enabled: the cluster has no kind PrometheusRule", served},
		{"agents", "agents.list[0].name=a,agents.list[0].spec.mode=paused", "scanflow.dev/v1alpha1/Agent", "agents.list: the cluster does not have the kind Agent yet, and Helm can't make a definition and an object of it in one step", served},
		{"flow schemas", "flowSchema.enabled=true", "", "flowSchema.enabled: Kubernetes v1.28.3 does not serve flowcontrol.apiserver.k8s.io/v1, which came with 1.29", []string{"--kube-version", "1.28.3"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			args := []string{"template", "test", "scanflow", "--set", c.set}
			_, said, err := helm(t, append(args, c.args...)...)
			require.Error(t, err)
			require.Contains(t, said, c.want)
			_, said, err = helm(t, args...)
			require.NoError(t, err, said)
			if c.kind != "" {
				_, said, err = helm(t, append(append(args, c.args...), "--api-versions", c.kind)...)
				require.NoError(t, err, said)
			}
		})
	}
}
