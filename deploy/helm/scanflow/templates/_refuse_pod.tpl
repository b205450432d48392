{{- /* Problems of the workload and its pods. */ -}}
{{- define "scanflow.problems.workload" -}}
{{- $to := . -}}
{{- $v := .root.Values -}}
{{- $sharded := gt (int $v.shards) 1 -}}
{{- if and $sharded $v.replicas -}}
{{- include "scanflow.problem" (list $to (printf "replicas: %d and shards: %d: each shard has one pod; leave replicas empty, or set shards to 1" (int $v.replicas) (int $v.shards))) -}}
{{- end -}}
{{- if and (not $sharded) (ne $v.shardBy "namespace") -}}
{{- include "scanflow.problem" (list $to (printf "shardBy: %s: with shards: 1 nothing is divided; set shards above 1, or leave shardBy out" $v.shardBy)) -}}
{{- end -}}
{{- $u := $v.updateStrategy -}}
{{- $type := default "RollingUpdate" $u.type -}}
{{- if and $sharded (eq $type "Recreate") -}}
{{- include "scanflow.problem" (list $to "updateStrategy.type: Recreate is of a Deployment, and with shards above 1 the pods are those of a StatefulSet; use RollingUpdate or OnDelete") -}}
{{- end -}}
{{- if and (not $sharded) (eq $type "OnDelete") -}}
{{- include "scanflow.problem" (list $to "updateStrategy.type: OnDelete is of a StatefulSet, and with shards: 1 the pods are those of a Deployment; use RollingUpdate or Recreate") -}}
{{- end -}}
{{- if and $u.rollingUpdate (ne $type "RollingUpdate") -}}
{{- include "scanflow.problem" (list $to (printf "updateStrategy.rollingUpdate: has no effect with updateStrategy.type: %s; leave one of them out" $type)) -}}
{{- end -}}
{{- range $key := keys (default dict $u.rollingUpdate) | sortAlpha -}}
{{- if and $sharded (eq $key "maxSurge") -}}
{{- include "scanflow.problem" (list $to "updateStrategy.rollingUpdate.maxSurge: is of a Deployment, and with shards above 1 the pods are those of a StatefulSet; leave it out") -}}
{{- else if and (not $sharded) (eq $key "partition") -}}
{{- include "scanflow.problem" (list $to "updateStrategy.rollingUpdate.partition: is of a StatefulSet, and with shards: 1 the pods are those of a Deployment; leave it out") -}}
{{- end -}}
{{- end -}}
{{- $seconds := include "scanflow.seconds" $v.leaseDuration | int -}}
{{- if gt $seconds 86400 -}}
{{- include "scanflow.problem" (list $to (printf "leaseDuration: %s: a leader that is lost would be replaced after more than a day; the most is 24h, the usual is 15s" $v.leaseDuration)) -}}
{{- end -}}
{{- $requests := (default dict $v.resources.requests).memory -}}
{{- $limits := (default dict $v.resources.limits).memory -}}
{{- if and $requests $limits -}}
{{- if gt (include "scanflow.bytes" $requests | int64) (include "scanflow.bytes" $limits | int64) -}}
{{- include "scanflow.problem" (list $to (printf "resources.requests.memory: %s is more than resources.limits.memory: %s; raise the limit" (toString $requests) (toString $limits))) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- /* A duration of the schema ("90s", "2m", "1h") in seconds. */ -}}
{{- define "scanflow.seconds" -}}
{{- $units := dict "s" 1 "m" 60 "h" 3600 -}}
{{- mul (regexFind "^[0-9]+" . | int64) (get $units (regexFind "[a-z]$" .)) -}}
{{- end -}}

{{- define "scanflow.problems.pod" -}}
{{- $to := . -}}
{{- $v := .root.Values -}}
{{- range $path, $labels := dict "commonLabels" $v.commonLabels "podLabels" $v.podLabels "serviceMonitor.labels" $v.serviceMonitor.labels "prometheusRule.labels" $v.prometheusRule.labels -}}
{{- range $key := list "app.kubernetes.io/name" "app.kubernetes.io/instance" "app.kubernetes.io/version" "app.kubernetes.io/managed-by" "helm.sh/chart" -}}
{{- if hasKey $labels $key -}}
{{- include "scanflow.problem" (list $to (printf "%s: the chart itself sets %s, by which the Service and Helm find the objects; choose another key" $path $key)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- /* The flags that the chart sets, or that a value is for. */ -}}
{{- $flags := dict "kubernetes" "the chart" "namespace" "watchNamespace" "install" "install" "leader-elect" "the chart" "lease-duration" "leaseDuration" "shard" "shards" "shard-by" "shardBy" "agents" "agents.selector" "listen" "the chart" "data" "the chart" "prometheus" "prometheus.url" "mlflow" "mlflow.url" "secret-hosts" "secretHosts" "policies" "policies" "policies-interval" "policies.bundle.interval" "without-shipped-guards" "policies.withoutShippedGuards" "policies-key" "policies.key" "policies-key-alg" "policies.key.algorithm" "policies-key-scope" "policies.key.scope" "policies-token-file" "policies.bundle.token" "token-file" "token" "senders" "senders" "tls-cert" "tls" "tls-key" "tls" "client-ca" "tls.clientCA" "peer" "peers.urls" "peer-token-file" "peers.token" "peer-ca" "peers.ca" "log-level" "log.level" "log-format" "log.format" -}}
{{- range $v.extraArgs -}}
{{- $flag := regexReplaceAll "^--([^=]*).*$" . "${1}" -}}
{{- with get $flags $flag -}}
{{- include "scanflow.problem" (list $to (printf "extraArgs: --%s is set by %s; leave it out here" $flag .)) -}}
{{- end -}}
{{- end -}}
{{- range $v.env -}}
{{- if has .name (list "SHARD" "SCANFLOW_WORKLOAD") -}}
{{- include "scanflow.problem" (list $to (printf "env: %s is set by the chart; leave it out" .name)) -}}
{{- end -}}
{{- end -}}
{{- $names := list "data" "tmp" -}}
{{- range include "scanflow.volumes" .root | trim | fromYamlArray -}}
{{- $names = append $names .name -}}
{{- end -}}
{{- $volumes := list -}}
{{- range $v.extraVolumes -}}
{{- if has .name $names -}}
{{- include "scanflow.problem" (list $to (printf "extraVolumes: the name %s is taken; choose another" .name)) -}}
{{- end -}}
{{- $names = append $names .name -}}
{{- $volumes = append $volumes .name -}}
{{- end -}}
{{- $paths := list -}}
{{- range $names -}}
{{- if not (has . $volumes) -}}
{{- $paths = append $paths (printf "/%s" .) -}}
{{- end -}}
{{- end -}}
{{- range $v.extraVolumeMounts -}}
{{- if has (trimSuffix "/" .mountPath) $paths -}}
{{- include "scanflow.problem" (list $to (printf "extraVolumeMounts: the process has its own files at %s; choose another mountPath" .mountPath)) -}}
{{- end -}}
{{- if not (has .name $names) -}}
{{- include "scanflow.problem" (list $to (printf "extraVolumeMounts: there is no volume %s; add it to extraVolumes" .name)) -}}
{{- end -}}
{{- end -}}
{{- range $v.extraContainers -}}
{{- if eq .name "scanflow" -}}
{{- include "scanflow.problem" (list $to "extraContainers: the name scanflow is that of the process; choose another") -}}
{{- end -}}
{{- end -}}
{{- end -}}
