package orchestrator

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"

	"github.com/scanflow-k8s/scanflow/engine/mistake"
)

// full uses every field that is supported.
const full = `apiVersion: apps/v1
kind: Deployment
metadata:
  name: online
  namespace: mlperf
  labels: {app.kubernetes.io/component: predictor}
  annotations: {note: "x"}
spec:
  replicas: 2
  revisionHistoryLimit: 3
  progressDeadlineSeconds: 60
  selector:
    matchLabels: {app: online}
  strategy:
    type: RollingUpdate
    rollingUpdate: {maxSurge: 1, maxUnavailable: 0%}
  template:
    metadata:
      creationTimestamp: null
      labels: {app: online}
    spec:
      restartPolicy: Always
      terminationGracePeriodSeconds: 20
      automountServiceAccountToken: false
      nodeSelector: {kubernetes.io/hostname: node-1}
      affinity:
        podAntiAffinity:
          requiredDuringSchedulingIgnoredDuringExecution:
            - topologyKey: kubernetes.io/hostname
              labelSelector: {matchLabels: {app: batch}}
      containers:
        - name: online
          image: scanflow:latest
          imagePullPolicy: IfNotPresent
          command: [scanflow, digits, serve]
          args: ["--listen=:$(PORT_HTTP)"]
          workingDir: .
          resources: {requests: {cpu: 100m, memory: 64Mi}}
          env:
            - {name: A, value: "1"}
            - {name: NODE, valueFrom: {fieldRef: {fieldPath: spec.nodeName}}}
          ports:
            - {name: http, containerPort: 8080}
          readinessProbe: {httpGet: {path: /healthz, port: http}, periodSeconds: 1}
          livenessProbe: {tcpSocket: {port: 8080}, initialDelaySeconds: 1, timeoutSeconds: 1}
          startupProbe: {exec: {command: ["true"]}, failureThreshold: 30, successThreshold: 1}
          lifecycle: {preStop: {sleep: {seconds: 1}}}
---
apiVersion: v1
kind: Service
metadata: {name: online, namespace: mlperf}
spec:
  type: ClusterIP
  selector: {app: online}
  ports: [{name: http, port: 8080, targetPort: http, protocol: TCP}]
---
# a comment alone is no object
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: models, namespace: mlperf}
spec:
  parentRefs: [{name: gateway, port: 8090}]
  rules:
    - backendRefs: [{name: online, port: 8080, weight: 100}]
`

func TestReadsWhatIsHonoured(t *testing.T) {
	w, err := Read(write(t, full))
	require.NoError(t, err)
	require.Len(t, w.Deployments, 1)
	require.Len(t, w.Services, 1)
	require.Len(t, w.Routes, 1)
	require.Equal(t, "node-1", w.Deployments[0].Spec.Template.Spec.NodeSelector[corev1.LabelHostname])
	require.EqualValues(t, 100, *w.Routes[0].Spec.Rules[0].BackendRefs[0].Weight)
}

// Each case changes one thing of the full file, and is refused with exactly these
// mistakes: "LINE OBJECT.FIELD|part of the message".
func TestRefusesByName(t *testing.T) {
	const (
		here      = "      restartPolicy: Always\n" // line 22, of the pod
		inside    = "          workingDir: .\n"     // line 37, of the container
		replicas  = "  replicas: 2\n"               // line 9
		command   = "command: [scanflow, digits, serve]"
		selector  = "nodeSelector: {kubernetes.io/hostname: node-1}"
		backend   = "[{name: online, port: 8080, weight: 100}]"
		lifecycle = "{preStop: {sleep: {seconds: 1}}}"
		spec      = "Deployment spec.template.spec."
		c0        = spec + "containers[0]."
		back      = "HTTPRoute spec.rules[0].backendRefs[0]."
	)
	for name, tc := range map[string]struct {
		old, now string
		want     []string
	}{
		"initContainers":  {here, "      initContainers: [{name: a, image: b}]\n", []string{"22 " + spec + "initContainers|own start"}},
		"volumes":         {here, "      volumes: [{name: v, emptyDir: {}}]\n", []string{"22 " + spec + "volumes|machine's own files"}},
		"securityContext": {here, "      securityContext: {runAsUser: 1}\n", []string{"22 " + spec + "securityContext|user who started"}},
		"hostNetwork":     {here, "      hostNetwork: true\n", []string{"22 " + spec + "hostNetwork|network already"}},
		"tolerations":     {here, "      tolerations: [{key: a}]\n", []string{"22 " + spec + "tolerations|" + defaultFix}},
		"restartPolicy":   {here, "      restartPolicy: Never\n", []string{"22 " + spec + "restartPolicy|only Always"}},
		"service links":   {here, "      enableServiceLinks: true\n", []string{"22 " + spec + "enableServiceLinks|set it to false"}},
		"nodeName":        {here, "      nodeName: node-0\n", []string{"22 " + spec + "nodeName|use nodeSelector"}},
		"node affinity":   {"      affinity:\n", "      affinity:\n        nodeAffinity: {}\n", []string{"27 " + spec + "affinity.nodeAffinity|use nodeSelector"}},
		"topology": {"topologyKey: kubernetes.io/hostname", "topologyKey: zone", []string{
			"29 " + spec + "affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].topologyKey|only kubernetes.io/hostname"}},
		"preferred": {"        podAntiAffinity:\n", "        podAntiAffinity:\n          preferredDuringSchedulingIgnoredDuringExecution: [{weight: 0, podAffinityTerm: {topologyKey: zone, labelSelector: {matchLabels: {a: b}}}}]\n", []string{
			"28 " + spec + "affinity.podAntiAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].podAffinityTerm.topologyKey|only kubernetes.io/hostname",
			"28 " + spec + "affinity.podAntiAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].weight|0 is outside 1 to 100"}},
		"node label":   {selector, `nodeSelector: {gpu: "y"}`, []string{"25 " + spec + "nodeSelector.gpu|only kubernetes.io/hostname"}},
		"volumeMounts": {inside, "          volumeMounts: []\n", []string{"37 " + c0 + "volumeMounts|machine's own files"}},
		"limits": {"requests: {cpu", "limits: {cpu", []string{
			"38 " + c0 + "resources.limits.cpu|have the program mind $(CPU_LIMIT)", "38 " + c0 + "resources.limits.memory|nothing enforces it"}},
		"another container's limit": {"{fieldRef: {fieldPath: spec.nodeName}}", "{resourceFieldRef: {resource: limits.cpu, containerName: other}}", []string{
			"41 " + c0 + "env[1].valueFrom.resourceFieldRef.containerName|not this container"}},
		"a resource's divisor": {"{fieldRef: {fieldPath: spec.nodeName}}", "{resourceFieldRef: {resource: limits.cpu, divisor: 10m}}", []string{
			"41 " + c0 + "env[1].valueFrom.resourceFieldRef.divisor|use one of 1, 1m"}},
		"envFrom":         {inside, "          envFrom: [{secretRef: {name: s}}]\n", []string{"37 " + c0 + "envFrom|variables in env"}},
		"secret":          {"{fieldRef: {fieldPath: spec.nodeName}}", "{secretKeyRef: {name: a, key: b}}", []string{"41 " + c0 + "env[1].valueFrom.secretKeyRef|no secret is kept"}},
		"fieldPath":       {"spec.nodeName", "status.phase", []string{"41 " + c0 + "env[1].valueFrom|metadata.name"}},
		"two containers":  {"---\napiVersion: v1\n", "        - {name: side, image: b, command: [a]}\n---\napiVersion: v1\n", []string{"48 " + spec + "containers[1]|exactly one container"}},
		"no command":      {"          " + command + "\n", "", []string{"32 " + c0 + "command|no image is run"}},
		"probe port":      {"port: http}, periodSeconds", "port: metrics}, periodSeconds", []string{"44 " + c0 + "readinessProbe.httpGet.port|metrics is not declared"}},
		"grpc":            {"tcpSocket: {port: 8080}", "grpc: {port: 8080}", []string{"45 " + c0 + "livenessProbe.grpc|can't be honoured"}},
		"postStart":       {lifecycle, "{postStart: {sleep: {seconds: 1}}}", []string{"47 " + c0 + "lifecycle.postStart|can't be honoured"}},
		"UDP":             {"{name: http, containerPort: 8080}", "{name: http, containerPort: 8080, protocol: UDP}", []string{"43 " + c0 + "ports[0].protocol|only TCP"}},
		"Recreate":        {"type: RollingUpdate", "type: Recreate", []string{"15 Deployment spec.strategy.type|only RollingUpdate"}},
		"no way to roll":  {"maxSurge: 1", "maxSurge: 0", []string{"16 Deployment spec.strategy.rollingUpdate|both 0"}},
		"minReadySeconds": {replicas, "  minReadySeconds: 2\n", []string{"9 Deployment spec.minReadySeconds|" + defaultFix}},
		"status":          {"spec:\n  replicas: 2\n", "status: {replicas: 2}\nspec:\n", []string{"8 Deployment status|not a wish"}},
		"misspelt":        {replicas, "  replica: 2\n", []string{"9 Deployment spec.replica|no such field"}},
		"misspelt below": {"{matchLabels: {app: batch}}", "{matchbels: {app: batch}}", []string{
			"30 " + spec + "affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].labelSelector.matchbels|no such field"}},
		"upper case":           {replicas, "  Replicas: 2\n", []string{"9 Deployment spec.Replicas|no such field"}},
		"two, spelt":           {replicas, "  replicas: two\n", []string{`9 Deployment spec.replicas|"two" must be a whole number`}},
		"a fraction":           {replicas, "  replicas: 2.5\n", []string{`9 Deployment spec.replicas|"2.5" must be a whole number`}},
		"negative":             {replicas, "  replicas: -1\n", []string{"9 Deployment spec.replicas|-1 is negative"}},
		"written twice":        {replicas, replicas + replicas, []string{"10 Deployment spec.replicas|first at line 9"}},
		"not a list":           {command, "command: scanflow", []string{"35 " + c0 + "command|must be a list"}},
		"not a mapping":        {selector, "nodeSelector: node-1", []string{"25 " + spec + "nodeSelector|must be a mapping"}},
		"number for a string":  {`value: "1"`, "value: 1", []string{"40 " + c0 + "env[0].value|put it in quotes"}},
		"selector":             {"matchLabels: {app: online}", "matchLabels: {app: other}", []string{"20 Deployment spec.template.metadata.labels|app=other"}},
		"no selector":          {"    matchLabels: {app: online}\n", "    matchLabels: {}\n", []string{"12 Deployment spec.selector|is not set"}},
		"other kind":           {"apiVersion: v1\nkind: Service", "apiVersion: v1\nkind: Secret", []string{`49  |kind "Secret" is not run`, "65 " + back + "name|there is no Service mlperf/online"}},
		"service type":         {"type: ClusterIP", "type: LoadBalancer", []string{"53 Service spec.type|LoadBalancer"}},
		"headless":             {"type: ClusterIP", "clusterIP: None", []string{"53 Service spec.clusterIP|can't be honoured"}},
		"target port":          {"targetPort: http", "targetPort: 9090", []string{"55 Service spec.ports[0].targetPort|Deployment mlperf/online"}},
		"broken service":       {"port: 8080, targetPort", "port: http, targetPort", []string{`55 Service spec.ports[0].port|"http" must be a whole number`}},
		"unknown service":      {backend, "[{name: onlin, port: 8080}]", []string{"65 " + back + "name|there is no Service mlperf/onlin;"}},
		"service port":         {backend, "[{name: online, port: 80}]", []string{"65 " + back + "port|80 is not a port of Service"}},
		"weight":               {"weight: 100", "weight: -1", []string{"65 " + back + "weight|-1 is outside"}},
		"matches":              {"    - backendRefs", "    - matches: []\n      backendRefs", []string{"65 HTTPRoute spec.rules[0].matches|by the weights"}},
		"hostnames, no port":   {"[{name: gateway, port: 8090}]", "[{name: gateway}]\n  hostnames: [a.example]", []string{"63 HTTPRoute spec.parentRefs[0].port|port to listen on", "64 HTTPRoute spec.hostnames|every host name"}},
		"not an object at all": {"# a comment alone is no object\n", "just a word\n", []string{"57  |is not a Kubernetes object"}},
		"syntax":               {"# a comment alone is no object\n", "{a: [\n", []string{"0  |yaml: line 57"}},
	} {
		t.Run(name, func(t *testing.T) {
			at := strings.Index(full, tc.old)
			require.GreaterOrEqual(t, at, 0)
			_, err := Read(write(t, full[:at]+tc.now+full[at+len(tc.old):]))
			var found mistake.Mistakes
			require.ErrorAs(t, err, &found)
			require.Len(t, found, len(tc.want), "%v", err)
			for i, want := range tc.want {
				place, part, _ := strings.Cut(want, "|")
				kind, _, _ := strings.Cut(found[i].Object, " ")
				require.Equal(t, place, fmt.Sprintf("%d %s %s", found[i].Line, kind, found[i].Path))
				require.Contains(t, found[i].Message, part)
			}
		})
	}
}

func TestRefusesANameThatLeadsOutOfTheStateFolder(t *testing.T) {
	_, err := Read(write(t, strings.Replace(full, "name: online\n  namespace", "name: ../online\n  namespace", 1)))
	require.ErrorContains(t, err, `:4: Deployment mlperf/../online: metadata.name: "../online": `)
}

func TestReadNamesAllMistakesOfAllFiles(t *testing.T) {
	dir := t.TempDir()
	put := func(name, content string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600))
	}
	put("a.yaml", strings.NewReplacer("replicas: 2", "replicas: two", "workingDir: .", "tty: true").Replace(full))
	put("b.yml", full)
	put("c.yaml", full)
	put("notes.txt", "not read")
	_, err := Read(dir, filepath.Join(dir, "absent.yaml"))
	var found mistake.Mistakes
	require.ErrorAs(t, err, &found)
	var got []string
	for _, p := range found {
		got = append(got, filepath.Base(p.File)+" "+p.Object+" "+p.Path)
	}
	require.Subset(t, got, []string{
		"a.yaml Deployment mlperf/online spec.replicas",
		"a.yaml Deployment mlperf/online spec.template.spec.containers[0].tty",
		"b.yml Service mlperf/online ",
		"c.yaml Deployment mlperf/online ",
		"c.yaml HTTPRoute mlperf/models ",
		"absent.yaml  ",
	})
}

// A container may have a limit on cpu that a variable of it refers to.
func TestACPULimitOfADeploymentIsAccepted(t *testing.T) {
	_, err := Read(write(t, strings.NewReplacer("memory: 64Mi}", "memory: 64Mi}, limits: {cpu: 150m}", "{fieldRef: {fieldPath: spec.nodeName}}", "{resourceFieldRef: {resource: limits.cpu}}").Replace(full)))
	require.NoError(t, err)
}

func FuzzRead(f *testing.F) {
	f.Add(full)
	f.Add("a: &a [*a]\n")
	f.Add("apiVersion: apps/v1\nkind: Deployment\nspec: {template: {spec: {containers: [null, {}]}}}\n")
	f.Fuzz(func(t *testing.T, content string) {
		w, err := Read(write(t, content))
		if err == nil {
			require.Empty(t, w.check())
		}
	})
}

func write(t *testing.T, content string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "workloads.yaml")
	require.NoError(t, os.WriteFile(file, []byte(content), 0o600))
	return file
}
