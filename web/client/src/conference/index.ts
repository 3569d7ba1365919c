/** The conference library's public face. */
export type { BreakoutRoom } from './breakouts';
export { Conference, type ConferenceEvents } from './conference';
export { readConfig, type ConferenceConfig } from './config';
export { LocalMedia, type DeviceProblem } from './devices';
export type { Credentials } from './focus_request';
export { roomLocalPart } from './ids';
export type { Visitor } from './lobby';
export type { Meeting, MeetingEvents } from './meeting';
export type { Poll } from './polls';
export type { Access, RoomSettings } from './room_settings';
export { MISCONDUCT, type Misconduct } from './services';
export type { ModeratedKind, Moderation, SpeakerTime } from './services';
export type { ChatMessage, ConferenceState, FailureReason, Kind, Participant, Path, RemoteStats, SharedScreen, SourceKey, Statistics, Timings, View, Waiting } from './types';
export { ScreenCapture } from './screen';
