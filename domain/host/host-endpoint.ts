/** Where a host is reached, and the key it must show; recorded once at launch and never changed afterwards. */
export interface HostEndpoint {
  hostId: string;
  /** The provider's own name of the machine. */
  machineId: string;
  zone: string;
  address: string;
  sshPort: number;
  sshUser: string;
  /** `SHA256:<base64 without padding>` of the host key, as `ssh-keygen -lf` prints it. */
  hostKeyFingerprint: string;
  /** Port on `address` at which the host's first application answers; the load balancer sends traffic here. */
  servicePort: number;
}
