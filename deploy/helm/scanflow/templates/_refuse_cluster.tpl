{{- /* Problems of the network, of monitoring, and of what the cluster serves. */ -}}
{{- define "scanflow.problems.network" -}}
{{- $to := . -}}
{{- $v := .root.Values -}}
{{- $p := $v.networkPolicy -}}
{{- if not $p.enabled -}}
{{- $defaults := dict "senders" "[]" "extraEgress" "[]" "peers" `{"namespace":{}}` "apiServer" `{"cidrs":[],"ports":[443,6443]}` "monitoringNamespace" `{"kubernetes.io/metadata.name":"monitoring"}` "dnsNamespace" `{"kubernetes.io/metadata.name":"kube-system"}` "prometheus" `{"namespace":{"kubernetes.io/metadata.name":"monitoring"},"port":9090}` "mlflow" `{"namespace":{"kubernetes.io/metadata.name":"mlflow"},"port":5000}` -}}
{{- range $path, $default := $defaults -}}
{{- if ne (get $p $path | toJson) $default -}}
{{- include "scanflow.problem" (list $to (printf "networkPolicy.%s: has no effect with networkPolicy.enabled: false; leave one of them out" $path)) -}}
{{- end -}}
{{- end -}}
{{- else if not $p.extraEgress -}}
{{- range $path, $url := dict "prometheus" $v.prometheus.url "mlflow" $v.mlflow.url -}}
{{- $in := regexFind "^[^.]+[.][^.]+[.]svc([.]|$)" (urlParse (default "" $url)).hostname | splitList "." -}}
{{- $open := get (get $p $path).namespace "kubernetes.io/metadata.name" -}}
{{- if and (gt (len $in) 2) $open -}}
{{- if ne (index $in 1) $open -}}
{{- include "scanflow.problem" (list $to (printf "%s.url: %s is in the namespace %s, and the NetworkPolicy lets requests out to %s alone; set networkPolicy.%s.namespace to {kubernetes.io/metadata.name: %s}" $path $url (index $in 1) $open $path (index $in 1))) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "scanflow.problems.monitoring" -}}
{{- $to := . -}}
{{- $v := .root.Values -}}
{{- $m := $v.serviceMonitor -}}
{{- range $path, $value := dict "serverName" $m.serverName "ca.secretName" $m.ca.secretName -}}
{{- if and $value (not $v.tls.secretName) -}}
{{- include "scanflow.problem" (list $to (printf "serviceMonitor.%s: is for https, and without tls.secretName the metrics are served over http; set it, or leave this out" $path)) -}}
{{- end -}}
{{- end -}}
{{- if not $m.enabled -}}
{{- range $path, $value := dict "labels" $m.labels "serverName" $m.serverName "ca.secretName" $m.ca.secretName "interval" (ne $m.interval "15s") -}}
{{- if $value -}}
{{- include "scanflow.problem" (list $to (printf "serviceMonitor.%s: has no effect with serviceMonitor.enabled: false; enable it, or leave this out" $path)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $r := $v.prometheusRule -}}
{{- if not $r.enabled -}}
{{- range $path, $value := dict "labels" $r.labels "disabled" $r.disabled "extraRules" $r.extraRules -}}
{{- if $value -}}
{{- include "scanflow.problem" (list $to (printf "prometheusRule.%s: has no effect with prometheusRule.enabled: false; enable it, or leave this out" $path)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $alerts := list -}}
{{- range (.root.Files.Get "files/alerts.yaml" | fromYaml).groups -}}
{{- range .rules -}}
{{- $alerts = append $alerts .alert -}}
{{- end -}}
{{- end -}}
{{- range $r.disabled -}}
{{- if not (has . $alerts) -}}
{{- include "scanflow.problem" (list $to (printf "prometheusRule.disabled: there is no alert %s; there are %s" . (join ", " $alerts))) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- /* `helm template` asks no cluster: its API versions lack the API of every aggregator. */ -}}
{{- define "scanflow.problems.cluster" -}}
{{- $to := . -}}
{{- $v := .root.Values -}}
{{- $api := .root.Capabilities.APIVersions -}}
{{- $f := $v.flowSchema -}}
{{- if not $f.enabled -}}
{{- range $path, $value := dict "priorityLevel" $f.priorityLevel "matchingPrecedence" (ne (int $f.matchingPrecedence) 1000) "nominalConcurrencyShares" (ne (int $f.nominalConcurrencyShares) 10) -}}
{{- if $value -}}
{{- include "scanflow.problem" (list $to (printf "flowSchema.%s: has no effect with flowSchema.enabled: false; enable it, or leave this out" $path)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if and (not $v.podDisruptionBudget.enabled) (ne (toString $v.podDisruptionBudget.maxUnavailable) "1") -}}
{{- include "scanflow.problem" (list $to "podDisruptionBudget.maxUnavailable: has no effect with podDisruptionBudget.enabled: false; leave one of them out") -}}
{{- end -}}
{{- if and $f.enabled $f.priorityLevel (ne (int $f.nominalConcurrencyShares) 10) -}}
{{- include "scanflow.problem" (list $to "flowSchema.nominalConcurrencyShares: is of the chart's own priority level, and flowSchema.priorityLevel names another; leave one of them out") -}}
{{- end -}}
{{- if and $f.enabled (semverCompare "<1.29.0-0" .root.Capabilities.KubeVersion.Version) -}}
{{- include "scanflow.problem" (list $to (printf "flowSchema.enabled: Kubernetes %s does not serve flowcontrol.apiserver.k8s.io/v1, which came with 1.29; leave it out" .root.Capabilities.KubeVersion.Version)) -}}
{{- end -}}
{{- if and (not $v.crds.install) (not $v.crds.keep) -}}
{{- include "scanflow.problem" (list $to "crds.keep: false has no effect with crds.install: false; leave one of them out") -}}
{{- end -}}
{{- if $api.Has "apiregistration.k8s.io/v1" -}}
{{- range $path, $kind := dict "serviceMonitor" "ServiceMonitor" "prometheusRule" "PrometheusRule" -}}
{{- if and (get $v $path).enabled (not ($api.Has (printf "monitoring.coreos.com/v1/%s" $kind))) -}}
{{- include "scanflow.problem" (list $to (printf "%s.enabled: the cluster has no kind %s (monitoring.coreos.com/v1); install the definitions of the Prometheus operator first, or set %s.enabled=false" $path $kind $path)) -}}
{{- end -}}
{{- end -}}
{{- if and $v.agents.list (not ($api.Has "scanflow.dev/v1alpha1/Agent")) -}}
{{- include "scanflow.problem" (list $to "agents.list: the cluster does not have the kind Agent yet, and Helm can't make a definition and an object of it in one step; install without agents.list, then upgrade with it") -}}
{{- end -}}
{{- end -}}
{{- end -}}
