/** The conference library's public face. */
export { Conference, type ConferenceEvents } from './conference';
export { readConfig, type ConferenceConfig } from './config';
export { LocalMedia, type DeviceProblem } from './devices';
export { roomLocalPart } from './ids';
export type { ChatMessage, ConferenceState, FailureReason, Kind, Participant, RemoteStats, Statistics, Timings } from './types';
