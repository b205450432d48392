{{- /* How events come in and leave: from whom, to whom, and by which certificate. */ -}}

{{- /* The peers' addresses, as JSON: those of peers.urls but the release's own. */ -}}
{{- define "scanflow.peers" -}}
{{- $service := printf "%s.%s" (include "scanflow.fullname" .) .Release.Namespace -}}
{{- $own := list (include "scanflow.fullname" .) $service (printf "%s.svc" $service) (printf "%s.svc.cluster.local" $service) -}}
{{- $peers := list -}}
{{- range .Values.peers.urls -}}
{{- if not (has (urlParse .).hostname $own) -}}
{{- $peers = append $peers . -}}
{{- end -}}
{{- end -}}
{{- toJson $peers -}}
{{- end -}}

{{- /* "true" where a peer may be among the senders, which of a Secret nobody can tell here. */ -}}
{{- define "scanflow.peersSend" -}}
{{- $send := ne .Values.senders.secretName "" -}}
{{- range .Values.senders.list -}}
{{- $send = or $send .peer -}}
{{- end -}}
{{- if $send -}}true{{- end -}}
{{- end -}}

{{- /* The file of senders. Each token is a file that it names. */ -}}
{{- define "scanflow.senders" -}}
{{- $senders := list -}}
{{- range .Values.senders.list -}}
{{- $sender := omit . "bearerToken" -}}
{{- if .bearerToken -}}
{{- $_ := set $sender "bearerToken" (dict "file" (printf "/senders-tokens/%s" .name)) -}}
{{- end -}}
{{- $senders = append $senders $sender -}}
{{- end -}}
{{- toYaml (dict "senders" $senders) -}}
{{- end -}}

{{- define "scanflow.mailArgs" -}}
{{- $files := include "scanflow.secretFiles" . | fromJson -}}
{{- if .Values.senders.list }}
- --senders=/senders/senders.yaml
{{- else if .Values.senders.secretName }}
- --senders=/senders/{{ .Values.senders.key }}
{{- end }}
{{- if .Values.tls.secretName }}
- --tls-cert=/tls/tls.crt
- --tls-key=/tls/tls.key
{{- end }}
{{- with index $files "client-ca" }}
- --client-ca=/client-ca/{{ .key }}
{{- end }}
{{- range include "scanflow.peers" . | fromJsonArray }}
- {{ printf "--peer=%s" . | quote }}
{{- end }}
{{- with index $files "peer-token" }}
- --peer-token-file=/peer-token/{{ .key }}
{{- end }}
{{- with index $files "peer-ca" }}
- --peer-ca=/peer-ca/{{ .key }}
{{- end }}
{{- end -}}

{{- /* The pods of peers, as an entry of a NetworkPolicy's from or to. */ -}}
{{- define "scanflow.peerPods" -}}
- podSelector:
    matchLabels:
      app.kubernetes.io/name: {{ include "scanflow.name" . }}
  {{- with .Values.networkPolicy.peers.namespace }}
  namespaceSelector:
    matchLabels:
      {{- toYaml . | nindent 6 }}
  {{- end }}
{{- end -}}
