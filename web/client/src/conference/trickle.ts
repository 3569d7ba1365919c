/** Candidates of one session under way (XEP-0176, 5.7): ours in few stanzas, the other's kept until they can be used. */
import { candidateLine, readCandidateLine } from './sdp';
import type { Candidate } from './types';

/** Candidates found so close together go out in one stanza. */
const TRICKLE_MS = 150;
/** Candidates that come before the description they belong to. */
const MAX_EARLY = 64;

export class Trickle {
  private early: Candidate[] = [];
  private found: Candidate[] = [];
  private timer: ReturnType<typeof setTimeout> | undefined;
  private begun = false;

  constructor(private readonly pc: RTCPeerConnection, private readonly send: (candidates: Candidate[]) => void) {
    pc.onicecandidate = ({ candidate }) => this.find(candidate?.candidate ?? '');
  }

  /** Our description has gone out: candidates follow it. */
  begin(): void {
    this.begun = true;
    this.flush();
  }

  /** Takes those of the other one. */
  take(candidates: readonly Candidate[]): void {
    if (!this.pc.remoteDescription) {
      this.early.push(...candidates.slice(0, MAX_EARLY - this.early.length));
      return;
    }
    for (const candidate of candidates) {
      // One that the browser does not take may be followed by a better one.
      this.pc.addIceCandidate({ candidate: candidateLine(candidate), sdpMLineIndex: 0 }).catch(() => undefined);
    }
  }

  /** The other's description is there. */
  described(): void {
    this.take(this.early.splice(0));
  }

  close(): void {
    clearTimeout(this.timer);
    this.pc.onicecandidate = null;
  }

  private find(line: string): void {
    const candidate = readCandidateLine(line);
    if (!candidate) return;
    this.found.push(candidate);
    this.timer ??= setTimeout(() => {
      this.timer = undefined;
      this.flush();
    }, TRICKLE_MS);
  }

  private flush(): void {
    if (this.begun && this.found.length) this.send(this.found.splice(0));
  }
}
