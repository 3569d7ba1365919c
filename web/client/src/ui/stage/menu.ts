/** The entries of the menu that are about the stage. */
import { t } from '../i18n';
import type { MenuItem } from '../menu';
import { change, settings } from '../settings';
import { conference, participants } from '../state';
import { pipPossible, togglePip } from './pip';
import { audioOnly, mode } from './view';

export function toggleMode(): void {
  mode.value = mode.value === 'speaker' ? 'tiles' : 'speaker';
}

export function stageMenu(): MenuItem[] {
  const { selfView } = settings.value;
  const speaker = mode.value === 'speaker';
  const all: (MenuItem | false)[] = [
    participants.value.length > 1 && { id: 'layout', keys: 'W', icon: speaker ? 'grid' : 'spotlight', label: t(speaker ? 'stage.tiles' : 'stage.speaker'), onSelect: toggleMode },
    { id: 'audio-only', icon: 'cameraOff', label: t('stage.audioOnly'), checked: audioOnly.value, onSelect: () => (audioOnly.value = !audioOnly.value) },
    { id: 'self-view', icon: 'camera', label: t('stage.selfView'), checked: selfView, onSelect: () => change({ selfView: !selfView }) },
    matchMedia('(pointer: coarse)').matches && { id: 'flip-camera', icon: 'flip', label: t('stage.flip'), onSelect: () => void conference?.local.flip() },
    pipPossible() && { id: 'pip', icon: 'pip', label: t('stage.pip'), onSelect: () => void togglePip() },
  ];
  return all.filter((item): item is MenuItem => item !== false);
}
